// What is known of the counts: rows by minute and product, kept for half an hour. No DOM: tests run it as pages do.
//
// A row is {product_id, window_start, window_end, unique_user_count, revision, final}. Minutes are named by their
// `window_start`, RFC 3339 UTC, so that names sort as times do. Counts of different minutes are never added.

/** Minutes that are kept: the shown one, and the 30 of a sparkline before it. */
export const KEPT_MINUTES = 31;
/** A rank is compared with the first so many of the last full minute; the gateway tells no more. */
export const COMPARED_RANKS = 100;
const MINUTE_MS = 60_000;

/** Whether row `one` says more than row `other` of the same product and minute: greater by (final, revision, count). */
export function isNewer(one, other) {
    if (one.final !== other.final) return one.final;
    if (one.revision !== other.revision) return one.revision > other.revision;
    return one.unique_user_count > other.unique_user_count;
}

/** The name of the minute that begins `minutes` after the one named `start`. */
export function minuteAfter(start, minutes) {
    return minuteName(Date.parse(start) + minutes * MINUTE_MS);
}

/** The name of the minute in which a time (milliseconds since 1970) lies. */
export function minuteName(millis) {
    return new Date(Math.floor(millis / MINUTE_MS) * MINUTE_MS).toISOString().replace(".000Z", "Z");
}

/** The rows of one minute. */
class Minute {
    rows = new Map();
    #finalRows = 0;
    #ranking = null;

    get hasFinal() {
        return this.#finalRows > 0;
    }

    get isFinal() {
        return this.hasFinal && this.#finalRows === this.rows.size;
    }

    apply(row) {
        const known = this.rows.get(row.product_id);
        if (known && !isNewer(row, known)) return false;
        this.rows.set(row.product_id, row);
        this.#finalRows += Number(row.final) - Number(known?.final ?? false);
        this.#ranking = null;
        return true;
    }

    /** All rows, the greatest count first, equal counts by product. */
    ranking() {
        this.#ranking ??= [...this.rows.values()].sort(
            (a, b) => b.unique_user_count - a.unique_user_count || (a.product_id < b.product_id ? -1 : 1),
        );
        return this.#ranking;
    }
}

/** The counts of the last half hour. */
export class Counts {
    #minutes = new Map();
    #newest = null;
    #withPast = new Set();

    /** Takes a row in; whether it changed anything. */
    apply(row) {
        if (this.#newest !== null && row.window_start <= minuteAfter(this.#newest, -KEPT_MINUTES)) return false;
        let minute = this.#minutes.get(row.window_start);
        if (!minute) {
            minute = new Minute();
            this.#minutes.set(row.window_start, minute);
            if (this.#newest === null || row.window_start > this.#newest) this.#moveOn(row.window_start);
        }
        return minute.apply(row);
    }

    #moveOn(newest) {
        this.#newest = newest;
        const oldest = minuteAfter(newest, 1 - KEPT_MINUTES);
        for (const start of this.#minutes.keys()) {
            if (start < oldest) this.#minutes.delete(start);
        }
    }

    /** Forgets everything: what the server has to say begins anew. */
    reset() {
        this.#minutes.clear();
        this.#newest = null;
        this.#withPast.clear();
    }

    /** Rows may have been missed: what is known stays, and the past of every product has to be asked for again. */
    forgetPasts() {
        this.#withPast.clear();
    }

    /** The past minutes of these products have been taken in. */
    hasPastOf(products) {
        for (const product of products) this.#withPast.add(product);
    }

    /** Those of these products whose past minutes were never asked for. */
    withoutPast(products) {
        return products.filter((product) => !this.#withPast.has(product));
    }

    /** Whether a minute is over: all of its rows are final, or a later minute has final ones. */
    #isClosed(start) {
        const isLater = ([other, minute]) => other > start && minute.hasFinal;
        return this.#minutes.get(start).isFinal || [...this.#minutes].some(isLater);
    }

    /** The minute to show, the newest one with rows: {start, end, isOpen}; `null` while there is none. */
    shown() {
        if (this.#newest === null) return null;
        return { start: this.#newest, end: minuteAfter(this.#newest, 1), isOpen: !this.#isClosed(this.#newest) };
    }

    /** The last full minute before the shown one, where that is running; else `null`. */
    compared() {
        if (!this.shown()?.isOpen) return null;
        const closed = [...this.#minutes.keys()].filter((start) => this.#isClosed(start));
        return closed.length > 0 ? closed.sort().at(-1) : null;
    }

    /**
     * The first `limit` products of the shown minute: {product_id, rank, count, change}, where `change` is
     * {kind: "new" | "up" | "down" | "same", by} against the last full minute, `null` where there is nothing to compare with.
     */
    top(limit) {
        const shown = this.shown();
        if (!shown) return [];
        const rows = this.#minutes.get(shown.start).ranking().slice(0, limit);
        const compared = this.compared();
        const before = compared ? this.#ranks(compared) : null;
        return rows.map((row, index) => ({
            product_id: row.product_id,
            rank: index + 1,
            count: row.unique_user_count,
            change: before && changeOf(index + 1, before.get(row.product_id)),
        }));
    }

    #ranks(start) {
        const rows = this.#minutes.get(start).ranking().slice(0, COMPARED_RANKS);
        return new Map(rows.map((row, index) => [row.product_id, index + 1]));
    }

    /** A product's row of a minute, if there is one. */
    row(product, start) {
        return this.#minutes.get(start)?.rows.get(product);
    }

    /** A product's last `length` minutes up to the shown one, the oldest first: rows, `null` where nobody looked. */
    history(product, length) {
        if (this.#newest === null) return [];
        return Array.from({ length }, (_, index) => {
            return this.row(product, minuteAfter(this.#newest, index + 1 - length)) ?? null;
        });
    }

    /** All rows of a product. */
    rowsOf(product) {
        return [...this.#minutes.values()].map((minute) => minute.rows.get(product)).filter(Boolean);
    }
}

function changeOf(rank, before) {
    if (before === undefined) return { kind: "new", by: 0 };
    if (rank === before) return { kind: "same", by: 0 };
    return rank < before ? { kind: "up", by: before - rank } : { kind: "down", by: rank - before };
}
