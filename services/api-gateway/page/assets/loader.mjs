// What the stream does not tell: the last full minute and the minutes before the page was opened. No DOM.

const RETRY_MS = [2_000, 4_000, 8_000, 15_000, 30_000];
const PAST_RETRY_MS = 10_000;
/** As many minutes as `Counts` keeps. */
const PAST_ROWS = 31;

/** Reads `/analytics/top` into `counts`, and the past minutes of products that come up later. */
export class Loader {
    #parts;
    #tries = 0;
    #timer;
    #pastNotBefore = 0;
    #asking = false;

    /** Why the counts could not be read, `null` where they could. */
    problem = null;

    /** `parts`: `get(path)`, `counts`, `freshness`, `names`, `changed()`, `now()`, `after(ms, f)`, `cancel(timer)`. */
    constructor(parts) {
        this.#parts = parts;
    }

    /** Asks for the top products until an answer comes: those to show with their past, and the ranks to compare with. */
    async load({ shown, compared, minutes }) {
        const { get, after, cancel, changed } = this.#parts;
        cancel(this.#timer);
        try {
            const asked = [get(`/analytics/top?limit=${shown}&history=${minutes}`), get(`/analytics/top?limit=${compared}`)];
            for (const answer of await Promise.all(asked)) this.#take(answer);
            this.problem = null;
            this.#tries = 0;
        } catch (problem) {
            this.problem = problem;
            const wait = RETRY_MS[Math.min(this.#tries, RETRY_MS.length - 1)];
            this.#tries += 1;
            this.#timer = after(wait, () => this.load({ shown, compared, minutes }));
        }
        changed();
    }

    #take({ closed, open, freshness, unavailable = [] }) {
        const { counts, names } = this.#parts;
        this.#parts.freshness.receive(freshness);
        const down = unavailable.find((missing) => missing.part === "product_name");
        if (down) names.isDown({ title: down.reason });
        for (const [minute, final] of [[closed, true], [open, false]]) {
            for (const item of minute?.items ?? []) {
                const { window_start, window_end } = minute;
                const { product_id, product_name, unique_user_count, revision = 0, history } = item;
                counts.apply({ product_id, window_start, window_end, unique_user_count, revision, final: item.final ?? final });
                if (product_name || !down) names.learn(product_id, product_name);
                if (!history) continue;
                for (const row of history) counts.apply({ revision: 0, ...row, product_id });
                counts.hasPastOf([product_id]);
            }
        }
    }

    /** Asks for the past minutes of those of these products that came up after the page was opened. */
    async wantPasts(products) {
        const { get, counts, changed, now } = this.#parts;
        const wanted = counts.withoutPast(products);
        if (wanted.length === 0 || this.#asking || now() < this.#pastNotBefore) return;
        this.#asking = true;
        const asked = wanted.map((id) => get(`/analytics/products/${encodeURIComponent(id)}/windows?limit=${PAST_ROWS}`));
        const answers = await Promise.allSettled(asked);
        this.#asking = false;
        answers.forEach((answer, index) => {
            if (answer.status === "rejected") {
                this.#pastNotBefore = now() + PAST_RETRY_MS;
                return;
            }
            for (const row of answer.value.items) counts.apply(row);
            counts.hasPastOf([wanted[index]]);
        });
        changed();
    }
}
