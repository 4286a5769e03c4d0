// The search for products: a combobox with a list (WAI-ARIA Authoring Practices, "Editable Combobox With List Autocomplete").

import { byId, html, setText } from "./dom.mjs";
import { sentence } from "./words.mjs";

/** How long typing must pause before the catalogue is asked. */
const PAUSE_MS = 150;
const RESULTS = 20;

/** Finds products by name. `ask(path, {signal})` promises the gateway's JSON, `open(id)` shows a product. */
export class Search {
    #ask;
    #open;
    #format;
    #input = byId("query");
    #list = byId("results");
    #message = byId("search-message");
    #found = byId("found");
    #timer;
    #running = null;
    #active = -1;

    constructor({ ask, open, format }) {
        this.#ask = ask;
        this.#open = open;
        this.#format = format;
        this.#input.addEventListener("input", () => this.#typed());
        this.#input.addEventListener("keydown", (event) => this.#pressed(event));
        this.#input.addEventListener("blur", () => this.#close());
        // A press on the list must not take the focus from the box, which would close the list before the click.
        this.#found.addEventListener("mousedown", (event) => event.preventDefault());
        this.#list.addEventListener("click", (event) => this.#choose(event.target.closest("[role=option]")));
        document.addEventListener("keydown", (event) => this.#shortcut(event));
    }

    #shortcut(event) {
        const isTyping = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) && event.target.type !== "radio";
        if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        this.#input.focus();
        this.#input.select();
    }

    #typed() {
        clearTimeout(this.#timer);
        this.#running?.abort();
        const query = this.#input.value.trim();
        if (query === "") this.#close();
        else this.#timer = setTimeout(() => this.#find(query), PAUSE_MS);
    }

    async #find(query) {
        const running = new AbortController();
        this.#running = running;
        try {
            const path = `/products?q=${encodeURIComponent(query)}&limit=${RESULTS}`;
            const page = await this.#ask(path, { signal: running.signal });
            if (!running.signal.aborted) this.#show(query, page.items, this.#foundInWords(page));
        } catch (problem) {
            // A later request has taken its place.
            if (!running.signal.aborted) this.#show(query, [], `The catalogue cannot be searched. ${sentence(problem)}`);
        }
    }

    #foundInWords({ items, next_cursor }) {
        if (items.length === 0) return "No product has this in its name.";
        if (next_cursor !== null) return `The first ${this.#format.number(items.length)}; there are more.`;
        return items.length === 1 ? "1 product" : `${this.#format.number(items.length)} products`;
    }

    #show(query, items, message) {
        const options = items.map((product) => this.#option(product));
        // Events may name products that the catalogue does not know.
        if (!/\s/.test(query)) options.push(option(query, html("span", { class: "name" }, `Counts of product id “${query}”`)));
        options.forEach((element, index) => element.setAttribute("id", `result-${index}`));
        this.#list.replaceChildren(...options);
        this.#list.hidden = options.length === 0;
        this.#input.setAttribute("aria-expanded", String(options.length > 0));
        this.#found.hidden = false;
        setText(this.#message, message);
        setText(byId("announcer"), message);
        this.#activate(-1);
    }

    #option({ id, name, category, price, currency }) {
        const facts = [category, this.#format.price(price, currency)].filter(Boolean).join(" · ");
        return option(id, html("span", { class: "name" }, name), html("span", { class: "facts" }, facts));
    }

    #close() {
        clearTimeout(this.#timer);
        this.#running?.abort();
        this.#list.hidden = true;
        this.#found.hidden = true;
        this.#input.setAttribute("aria-expanded", "false");
        this.#activate(-1);
    }

    #pressed(event) {
        const count = this.#list.hidden ? 0 : this.#list.children.length;
        const moves = { ArrowDown: 1, ArrowUp: -1 };
        if (event.key in moves && count > 0) {
            event.preventDefault();
            const from = this.#active === -1 && event.key === "ArrowUp" ? count : this.#active;
            this.#activate((from + moves[event.key] + count) % count);
        } else if (event.key === "Enter" && count > 0) {
            event.preventDefault();
            this.#choose(this.#list.children[Math.max(this.#active, 0)]);
        } else if (event.key === "Escape") {
            if (count > 0) event.preventDefault();
            this.#close();
        }
    }

    #activate(index) {
        this.#list.children[this.#active]?.setAttribute("aria-selected", "false");
        this.#active = index;
        const active = this.#list.children[index];
        if (!active) {
            this.#input.removeAttribute("aria-activedescendant");
            return;
        }
        active.setAttribute("aria-selected", "true");
        active.scrollIntoView({ block: "nearest" });
        this.#input.setAttribute("aria-activedescendant", active.id);
    }

    #choose(chosen) {
        if (!chosen) return;
        this.#close();
        this.#input.value = "";
        this.#input.blur();
        this.#open(chosen.dataset.product);
    }
}

function option(product, ...children) {
    const element = html("li", { role: "option", "aria-selected": "false" }, ...children);
    element.dataset.product = product;
    return element;
}
