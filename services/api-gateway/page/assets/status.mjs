// The line that says what state the data is in.

import { byId, setText } from "./dom.mjs";
import { TITLES, detail } from "./words.mjs";

/** Shows the state and its words; tells screen readers where the state is another one, and of nothing else. */
export class StatusView {
    #state = null;

    /** `said` is what `detail` needs; `notices` are sentences about parts that are missing. */
    render(state, said, notices) {
        byId("status").dataset.state = state;
        document.body.dataset.state = state;
        setText(byId("state"), TITLES[state]);
        setText(byId("detail"), detail(state, said).trim());
        byId("notice").hidden = notices.length === 0;
        setText(byId("notice"), notices.join(" "));
        if (state === this.#state) return;
        const isFirst = this.#state === null;
        this.#state = state;
        // That the page loads needs no announcement.
        if (!isFirst) setText(byId("announcer"), `${TITLES[state]}. ${detail(state, said)}`);
    }
}
