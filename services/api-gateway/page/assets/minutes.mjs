// A product's minutes over a span of time, those without views included. No DOM.

import { isNewer, minuteAfter, minuteName } from "./counts.mjs";

/** Rows of one product, the newest of each minute. */
export class ProductRows {
    #rows = new Map();
    /** From which minute on a minute without a row is one without views; `null`: that is not known. */
    #completeFrom = null;

    /** Everything is known from this minute on; `null`: rows may have been missed. */
    isCompleteFrom(start) {
        this.#completeFrom = start;
    }

    /** Takes rows in; whether they changed anything. */
    apply(rows) {
        let hasChanged = false;
        for (const row of rows) {
            const known = this.#rows.get(row.window_start);
            if (known && !isNewer(row, known)) continue;
            this.#rows.set(row.window_start, row);
            hasChanged = true;
        }
        return hasChanged;
    }

    /**
     * The `length` minutes up to the one in which `now` lies, the oldest first: {start, end, kind, count, revision}.
     *
     * `kind` is "final", "open" (still growing), "none" (nobody looked) or "unknown" (the job has not got so far,
     * which `watermark` tells, or the minute has not been asked for yet). All times in milliseconds since 1970.
     */
    minutes(now, length, watermark) {
        const last = this.#lastMinute(now);
        return Array.from({ length }, (_, index) => {
            const start = minuteAfter(last, index + 1 - length);
            const end = minuteAfter(start, 1);
            const row = this.#rows.get(start);
            if (!row) {
                const isCounted = watermark !== null && Date.parse(end) <= watermark;
                const isComplete = this.#completeFrom !== null && start >= this.#completeFrom;
                const kind = isCounted && isComplete ? "none" : "unknown";
                return { start, end, kind, count: 0, revision: 0 };
            }
            const { unique_user_count: count, revision } = row;
            return { start, end, kind: row.final ? "final" : "open", count, revision };
        });
    }

    /** Events may be a few seconds ahead of the clock. */
    #lastMinute(now) {
        return [...this.#rows.keys()].reduce((last, start) => (start > last ? start : last), minuteName(now));
    }
}
