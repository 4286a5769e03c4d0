// A shop as the gateway tells about it: products, rows by product and minute, and what the job says of itself. Nothing happens
// in it by itself; `simulate.mjs` makes it live, tests move it by hand.

import { isNewer, minuteAfter, minuteName } from "../assets/counts.mjs";

export { minuteAfter, minuteName };

/** The rows that a stream can still resume from. */
const LOG_ROWS = 5_000;

export class Shop {
    /** Milliseconds since 1970, by the shop's clock. */
    now;
    products = new Map();
    /** Rows by product and minute. */
    #rows = new Map();
    #listeners = new Set();
    /** {id, row}, the oldest first. */
    log = [];
    #id = 0;
    /** When the job said something last; `null`: never. Follows the clock unless it is stopped. */
    stoppedAt = undefined;

    constructor({ now = () => Date.now() } = {}) {
        this.now = now;
    }

    addProduct(id, name, category, price) {
        this.products.set(id, { id, name, description: "", price, currency: "EUR", category, stock_quantity: 10 });
    }

    /** The newest row of a product and minute, as the job writes it to the results topic. */
    write(product_id, window_start, unique_user_count, { final = false, revision = 0 } = {}) {
        const window_end = minuteAfter(window_start, 1);
        const row = { product_id, window_start, window_end, unique_user_count, revision, final };
        const rows = this.#rows.get(product_id) ?? new Map();
        this.#rows.set(product_id, rows);
        const known = rows.get(window_start);
        if (known && !isNewer(row, known)) return;
        rows.set(window_start, row);
        this.#id += 1;
        this.log.push({ id: this.#id, row });
        if (this.log.length > 2 * LOG_ROWS) this.log.splice(0, LOG_ROWS);
        for (const listener of this.#listeners) listener({ id: this.#id, row });
    }

    /** Makes the rows of a minute final. */
    close(window_start) {
        for (const [product, rows] of this.#rows) {
            const row = rows.get(window_start);
            if (row && !row.final) this.write(product, window_start, row.unique_user_count, { final: true });
        }
    }

    /** Calls `listener({id, row})` for each row that is written from now on; returns how to end it. */
    listen(listener) {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
    }

    /** The rows of a product, the last minute first. */
    rowsOf(product) {
        return [...(this.#rows.get(product)?.values() ?? [])].sort((a, b) => (a.window_start < b.window_start ? 1 : -1));
    }

    /** The rows of a minute, the greatest count first. */
    rowsAt(window_start) {
        const rows = [...this.#rows.values()].map((minutes) => minutes.get(window_start)).filter(Boolean);
        return rows.sort((a, b) => b.unique_user_count - a.unique_user_count || (a.product_id < b.product_id ? -1 : 1));
    }

    #newest(final) {
        const all = [...this.#rows.values()].flatMap((rows) => [...rows.values()]);
        return all.filter((row) => row.final === final).reduce((newest, row) => (row.window_start > newest ? row.window_start : newest), "");
    }

    /** The newest full minute and the running one, by name; `null` where there is none. */
    minutes() {
        const [closed, open] = [this.#newest(true), this.#newest(false)];
        return { closed: closed || null, open: open > closed ? open : null };
    }

    /** The job says nothing any more; with `never` it never did. */
    stopJob({ secondsAgo = 0, never = false } = {}) {
        this.stoppedAt = never ? null : this.now() - secondsAgo * 1_000;
    }

    startJob() {
        this.stoppedAt = undefined;
    }

    freshness() {
        const said = this.stoppedAt === undefined ? this.now() - 400 : this.stoppedAt;
        if (said === null) return { watermark: null, processed_at: null, age_seconds: null, stale: true };
        const age = (this.now() - said) / 1_000;
        const time = (millis) => new Date(millis).toISOString();
        return { watermark: time(said - 10_000), processed_at: time(said), age_seconds: age, stale: age > 10 };
    }
}
