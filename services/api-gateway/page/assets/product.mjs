// One product: who it is, its counts of right now, and its minutes.

import { get, getCsv } from "./api.mjs";
import { Chart } from "./chart.mjs";
import { byId, html, setText } from "./dom.mjs";
import { ProductRows } from "./minutes.mjs";
import { isCatalogueId } from "./names.mjs";
import { minuteInWords, sentence } from "./words.mjs";

/** The longest span that can be shown, and the minute before it that may be the running one. */
const LOADED_MINUTES = 181;
const RETRY_AFTER_MS = 5_000;

/** Shows one product at a time. `freshness` is taken from every answer; `changed()` is called when there is more to show. */
export class ProductView {
    #format;
    #freshness;
    #changed;
    #chart;
    #id = null;
    #rows = new ProductRows();
    #facts = null;
    #problem = null;
    #leaving = new AbortController();
    #cells = new Map();

    constructor({ format, freshness, changed }) {
        this.#format = format;
        this.#freshness = freshness;
        this.#changed = changed;
        this.#chart = new Chart(format);
        for (const input of document.getElementsByName("span")) input.addEventListener("change", changed);
        byId("minutes").addEventListener("toggle", changed);
        byId("csv").addEventListener("click", () => this.#download());
    }

    /** Which product is shown, `null` for none. */
    get id() {
        return this.#id;
    }

    /** Another product, with what is known of it already; `null` leaves the view. */
    open(id, rows = []) {
        this.#leaving.abort();
        this.#leaving = new AbortController();
        this.#id = id;
        this.#rows = new ProductRows();
        this.#rows.apply(rows);
        this.#facts = null;
        this.#problem = null;
        this.#chart.reset();
        this.#cells.clear();
        byId("minute-rows").replaceChildren();
        byId("csv-failure").hidden = true;
        if (id !== null) this.reload();
    }

    /** Rows may have been missed. */
    forgetPast() {
        this.#rows.isCompleteFrom(null);
    }

    /** A row of any product. */
    row(row) {
        if (row.product_id === this.#id) this.#rows.apply([row]);
    }

    /** Asks for everything again, which adds to what is known. */
    async reload() {
        if (this.#id === null) return;
        const { signal } = this.#leaving;
        const [facts, windows] = await Promise.allSettled([this.#askFacts(signal), this.#askWindows(signal)]);
        if (signal.aborted) return;
        if (facts.status === "fulfilled") this.#facts = facts.value;
        if (windows.status === "fulfilled") {
            const { items, next_cursor } = windows.value;
            this.#rows.apply(items);
            // Without a further page there is nothing before the first row either.
            this.#rows.isCompleteFrom(next_cursor === null ? "" : items.at(-1).window_start);
            this.#freshness.receive(windows.value.freshness);
        }
        this.#problem = windows.reason ?? null;
        if (facts.reason || windows.reason) {
            const timer = setTimeout(() => this.reload(), RETRY_AFTER_MS);
            signal.addEventListener("abort", () => clearTimeout(timer));
        }
        this.#changed();
    }

    #path() {
        return `/analytics/products/${encodeURIComponent(this.#id)}/windows`;
    }

    #askWindows(signal) {
        return get(`${this.#path()}?limit=${LOADED_MINUTES}`, { signal });
    }

    /** What the catalogue has; nothing where it does not have the product. */
    async #askFacts(signal) {
        if (!isCatalogueId(this.#id)) return null;
        try {
            return await get(`/products/${this.#id}`, { signal });
        } catch (problem) {
            if (problem.status === 404) return null;
            throw problem;
        }
    }

    /** `name` is the product's, if it is known by now. */
    render(name) {
        const { now, watermark } = this.#freshness;
        const title = this.#facts?.name ?? name ?? `Product ${this.#id}`;
        setText(byId("product-title"), title);
        document.title = `${title} - Footfall`;
        setText(byId("product-facts"), this.#factsInWords(name));
        byId("product-failure").hidden = this.#problem === null;
        setText(byId("product-failure"), this.#problem ? `The minutes cannot be read. ${sentence(this.#problem)}` : "");
        const minutes = this.#rows.minutes(now, this.#length(), watermark);
        this.#figures(minutes, now);
        this.#chart.render(minutes, now);
        if (byId("minutes").open) this.#table(minutes, now);
    }

    #length() {
        return Number(document.querySelector("input[name=span]:checked").value);
    }

    #factsInWords(name) {
        const id = `id ${this.#id}`;
        if (!this.#facts) return name ? id : `${id} · not known to the catalogue`;
        const { category, price, currency } = this.#facts;
        return [this.#format.price(price, currency), category, id].filter(Boolean).join(" · ");
    }

    #figures(minutes, now) {
        const running = minutes.at(-1);
        const full = minutes.findLast((minute) => minute.kind === "final" || minute.kind === "none");
        const span = (minute) => this.#format.span(minute.start, minute.end, now);
        const isOver = running.kind === "final" || running.kind === "none";
        showFigure("running", isOver ? "" : span(running), running.kind === "open" ? this.#format.number(running.count) : null);
        showFigure("full", full ? span(full) : "", full ? this.#format.number(full.count) : null);
    }

    /** Rows stay in place while their minutes are shown, so that a reader does not lose hers. */
    #table(minutes, now) {
        const body = byId("minute-rows");
        const shown = new Set(minutes.map((minute) => minute.start));
        for (const [start, cells] of this.#cells) {
            if (shown.has(start)) continue;
            cells[0].parentElement.remove();
            this.#cells.delete(start);
        }
        for (const minute of minutes) {
            let cells = this.#cells.get(minute.start);
            if (!cells) {
                cells = [html("th", { scope: "row" }), html("td"), html("td")];
                this.#cells.set(minute.start, cells);
                const row = html("tr", {}, ...cells);
                const next = [...body.children].find((other) => other.dataset.start < minute.start);
                row.dataset.start = minute.start;
                body.insertBefore(row, next ?? null);
            }
            setText(cells[0], this.#format.span(minute.start, minute.end, now));
            setText(cells[1], minute.kind === "unknown" ? "–" : this.#format.number(minute.count));
            setText(cells[2], this.#state(minute));
        }
    }

    #state(minute) {
        if (minute.revision > 0) return `corrected by late events (revision ${this.#format.number(minute.revision)})`;
        return { final: "full", open: "running", none: minuteInWords(minute, this.#format), unknown: "not known yet" }[minute.kind];
    }

    async #download() {
        const minutes = this.#rows.minutes(this.#freshness.now, this.#length(), this.#freshness.watermark);
        const [from, to] = [minutes[0].start, minutes.at(-1).end];
        const failure = byId("csv-failure");
        failure.hidden = true;
        try {
            const file = await getCsv(`${this.#path()}?from=${from}&to=${to}&limit=200`);
            save(file, `product-${this.#id}-${from.replaceAll(":", "")}.csv`);
        } catch (problem) {
            failure.hidden = false;
            setText(failure, `The file cannot be made. ${sentence(problem)}`);
        }
    }
}

function showFigure(id, span, figure) {
    setText(byId(`${id}-span`), span);
    setText(byId(id), figure ?? "none yet");
    byId(id).classList.toggle("faint", figure === null);
}

/** A link cannot ask for CSV: the file is fetched, and handed over by a link to what was fetched. */
function save(file, name) {
    const url = URL.createObjectURL(file);
    html("a", { href: url, download: name }).click();
    URL.revokeObjectURL(url);
}
