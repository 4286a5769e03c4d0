// The table of top products.

import { bars, path } from "./bars.mjs";
import { byId, html, setText, spoken, svg } from "./dom.mjs";
import { changeInWords } from "./words.mjs";

/** How many products are shown. */
export const SHOWN_PRODUCTS = 10;
/** How many minutes a sparkline shows. */
export const SPARK_MINUTES = 30;
const SPARK = { width: 150, height: 28 };
const ARROWS = { up: "▲", down: "▼", same: "", new: "new" };

/** One row for each product, which keeps its elements wherever it goes. */
export class TopView {
    #format;
    #rows = new Map();

    constructor(format) {
        this.#format = format;
    }

    /**
     * `items`, `shown` and `compared` as `Counts` has them, `name(product)` as `Names` has it; `past(product)` is
     * {history, isPastKnown}; `isEmpty`: there is nothing to show, and that is all that there is to know.
     */
    render({ items, shown, compared, past, name, now, isEmpty }) {
        byId("table").hidden = items.length === 0;
        byId("empty").hidden = !isEmpty;
        setText(byId("minute"), shown ? this.#minute(shown, now) : "");
        setText(byId("legend"), this.#legend(items, compared, now));
        const places = this.#places();
        const rows = items.map((item) => this.#row(item, name(item.product_id), past(item.product_id)));
        this.#arrange(rows.map((row) => row.element));
        this.#glide(places);
    }

    #minute(shown, now) {
        const span = this.#format.span(shown.start, shown.end, now);
        if (!shown.isOpen) return `Last full minute, ${span}`;
        return Date.parse(shown.end) > now ? `Running minute, ${span}` : `Minute that waits for late events, ${span}`;
    }

    #legend(items, compared, now) {
        if (items.length === 0) return "";
        const what = "People: how many different people looked in this minute. Each row of columns has a scale of its own.";
        if (!compared) return what;
        const span = this.#format.span(compared, Date.parse(compared) + 60_000, now);
        return `${what} Rank changes compare with the last full minute, ${span}; “new” was not among its first 100.`;
    }

    #row(item, name, past) {
        const id = item.product_id;
        const row = this.#rows.get(id) ?? newRow(id);
        this.#rows.set(id, row);
        setText(row.rank, this.#format.number(item.rank));
        showChange(row.change, item.change);
        setText(row.link, name ?? `Product ${id}`);
        row.link.classList.toggle("nameless", !name);
        setText(row.count, this.#format.number(item.count));
        this.#spark(row, past);
        return row;
    }

    #spark(row, { history, isPastKnown }) {
        const values = history.map((count) => count?.unique_user_count ?? 0);
        // Each sparkline has a scale of its own: it shows a product's ups and downs, the figures compare products.
        const top = Math.max(...values, 4);
        const shapes = bars(values, { ...SPARK, top, gap: 1 });
        const isOpen = (_, index) => history[index] !== null && !history[index].final;
        row.full.setAttribute("d", path(shapes.filter((bar, index) => !isOpen(bar, index))));
        row.open.setAttribute("d", path(shapes.filter(isOpen)));
        const words = this.#sparkInWords(values.filter((value) => value > 0), isPastKnown);
        if (row.spark.getAttribute("aria-label") !== words) row.spark.setAttribute("aria-label", words);
    }

    #sparkInWords(counts, isPastKnown) {
        if (!isPastKnown || counts.length === 0) return "not known yet";
        const [least, most] = [Math.min(...counts), Math.max(...counts)].map((count) => this.#format.number(count));
        return `${counts.length} of ${SPARK_MINUTES} minutes with views, ${least} to ${most} people in each`;
    }

    /** Where each row is on the screen. */
    #places() {
        const places = new Map();
        for (const { element } of this.#rows.values()) places.set(element, element.getBoundingClientRect().top);
        return places;
    }

    /** Puts the rows in their order without touching those that have it, so that the focus stays where it is. */
    #arrange(elements) {
        const body = byId("rows");
        const focused = document.activeElement;
        for (const [id, { element }] of this.#rows) {
            if (elements.includes(element)) continue;
            element.remove();
            this.#rows.delete(id);
        }
        elements.forEach((element, index) => {
            if (body.children[index] !== element) body.insertBefore(element, body.children[index] ?? null);
        });
        if (focused !== document.activeElement && body.contains(focused)) focused.focus({ preventScroll: true });
    }

    /** Lets rows that have moved glide from where they were. */
    #glide(places) {
        if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
        for (const { element } of this.#rows.values()) {
            const before = places.get(element);
            const way = before === undefined ? 0 : before - element.getBoundingClientRect().top;
            if (way === 0 || element.getAnimations().length > 0) continue;
            element.animate([{ transform: `translateY(${way}px)` }, { transform: "none" }], {
                duration: 400,
                easing: "cubic-bezier(0.2, 0.7, 0.2, 1)",
            });
        }
    }
}

function newRow(id) {
    const [rank, change, count] = ["rank", "change", "count"].map((name) => html("td", { class: name }));
    const link = html("a", { href: `#/products/${encodeURIComponent(id)}` });
    const [full, open] = [svg("path", { class: "full" }), svg("path", { class: "running" })];
    const viewBox = `0 0 ${SPARK.width} ${SPARK.height}`;
    const spark = svg("svg", { viewBox, role: "img", preserveAspectRatio: "none" }, full, open);
    const product = html("th", { scope: "row", class: "product" }, link);
    const element = html("tr", {}, rank, change, product, html("td", { class: "spark" }, spark), count);
    element.dataset.product = id;
    return { element, rank, change, link, spark, full, open, count };
}

function showChange(cell, change) {
    const words = change ? changeInWords(change) : "";
    if (cell.dataset.words === words) return;
    cell.dataset.words = words;
    cell.dataset.kind = change?.kind ?? "";
    const sign = change ? `${ARROWS[change.kind]}${change.by > 0 ? change.by : ""}` : "";
    cell.replaceChildren(html("span", { "aria-hidden": "true" }, sign), spoken(words));
}
