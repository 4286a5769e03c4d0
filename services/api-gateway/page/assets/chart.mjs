// A product's minutes as bars, drawn by hand. Pointer and arrow keys tell each minute exactly; to screen readers the chart is
// a slider over the minutes.

import { bars, labelEvery, roundTop } from "./bars.mjs";
import { byId, html, setText, svg } from "./dom.mjs";
import { minuteInWords } from "./words.mjs";

const HEIGHT = 272;
/** On top there is room for what is told about a minute, so that it covers no bar. */
const MARGIN = { top: 60, bottom: 24, left: 44 };
const LABEL_WIDTH = 64;
const KEYS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity };

/** Draws minutes as `ProductRows.minutes` gives them. */
export class Chart {
    #format;
    #plot = byId("plot");
    #tip = byId("tip");
    #minutes = [];
    #now = 0;
    /** The minute that is told about; the last one where it is `null`. */
    #chosen = null;
    #isTold = false;

    constructor(format) {
        this.#format = format;
        this.#plot.addEventListener("pointermove", (event) => this.#pointed(event));
        this.#plot.addEventListener("pointerdown", (event) => this.#pointed(event));
        this.#plot.addEventListener("pointerleave", () => this.#hide());
        this.#plot.addEventListener("focus", () => this.#tell(this.#index()));
        this.#plot.addEventListener("blur", () => this.#hide());
        this.#plot.addEventListener("keydown", (event) => this.#pressed(event));
        new ResizeObserver(() => this.#draw()).observe(this.#plot);
    }

    /** Another product: nothing is chosen. */
    reset() {
        this.#chosen = null;
        this.#hide();
    }

    render(minutes, now) {
        this.#minutes = minutes;
        this.#now = now;
        this.#draw();
    }

    #draw() {
        const width = this.#plot.clientWidth;
        if (width === 0 || this.#minutes.length === 0) return;
        const inner = { width: width - MARGIN.left, height: HEIGHT - MARGIN.top - MARGIN.bottom };
        const top = roundTop(Math.max(...this.#minutes.map((minute) => minute.count)));
        const shapes = bars(this.#minutes.map((minute) => minute.count), { ...inner, top, gap: 2 });
        const plot = svg("g", { transform: `translate(${MARGIN.left} ${MARGIN.top})` });
        plot.append(...this.#grid(top, inner), ...this.#times(inner), ...this.#bars(shapes, inner));
        const picture = svg("svg", { width, height: HEIGHT, "aria-hidden": "true", focusable: "false" }, hatch(), plot);
        this.#plot.replaceChildren(picture);
        this.#describe();
        if (this.#isTold) this.#tell(this.#index());
    }

    #grid(top, { width, height }) {
        return [0, top / 2, top].flatMap((value) => {
            const y = height - (value / top) * height;
            return [
                svg("line", { class: "grid", x1: 0, x2: width, y1: y, y2: y }),
                svg("text", { class: "value", x: -8, y, dy: "0.32em" }, this.#format.number(value)),
            ];
        });
    }

    #times({ width, height }) {
        const every = labelEvery(this.#minutes.length, width, LABEL_WIDTH) * 60_000;
        const step = width / this.#minutes.length;
        return this.#minutes.flatMap(({ start }, index) => {
            const x = (index + 0.5) * step;
            // Labels stand at round times of the reader's zone, whose offsets are quarters of an hour.
            if (Date.parse(start) % every !== 0 || x < 16 || x > width - 16) return [];
            return [svg("text", { class: "time", x, y: height + 18 }, this.#format.minute(start))];
        });
    }

    #bars(shapes, { height }) {
        return this.#minutes.flatMap(({ kind, revision, start }, index) => {
            const bar = shapes[index];
            const chosen = this.#isTold && index === this.#index() ? " chosen" : "";
            if (kind === "unknown") {
                return [svg("rect", { class: `unknown${chosen}`, x: bar.x, y: 0, width: bar.width, height })];
            }
            const attributes = { class: `${kind}${chosen}`, "data-start": start, ...bar };
            if (kind === "open") attributes.fill = "url(#hatch)";
            const shape = svg("rect", attributes);
            if (revision === 0) return [shape];
            const radius = Math.min(3, Math.max(1.5, bar.width / 3));
            return [shape, svg("circle", { class: "corrected", cx: bar.x + bar.width / 2, cy: bar.y - 6, r: radius })];
        });
    }

    #index() {
        const at = this.#minutes.findIndex((minute) => minute.start === this.#chosen);
        return at === -1 ? this.#minutes.length - 1 : at;
    }

    #pointed(event) {
        const box = this.#plot.getBoundingClientRect();
        const part = (event.clientX - box.left - MARGIN.left) / (box.width - MARGIN.left);
        const index = Math.floor(part * this.#minutes.length);
        if (index < 0 || index >= this.#minutes.length) this.#hide();
        else this.#choose(index);
    }

    #pressed(event) {
        if (event.key === "Escape") this.#hide();
        if (!(event.key in KEYS) || this.#minutes.length === 0) return;
        event.preventDefault();
        const last = this.#minutes.length - 1;
        this.#choose(Math.min(last, Math.max(0, this.#index() + KEYS[event.key])));
    }

    #choose(index) {
        this.#chosen = this.#minutes[index].start;
        this.#isTold = true;
        this.#draw();
    }

    #hide() {
        const wasTold = this.#isTold;
        this.#isTold = false;
        this.#tip.hidden = true;
        if (wasTold) this.#draw();
    }

    /** What a screen reader says of the chosen minute. */
    #describe() {
        const index = this.#index();
        const minute = this.#minutes[index];
        this.#plot.setAttribute("aria-valuemax", this.#minutes.length);
        this.#plot.setAttribute("aria-valuenow", index + 1);
        const words = `${this.#format.span(minute.start, minute.end, this.#now)}: ${minuteInWords(minute, this.#format)}`;
        if (this.#plot.getAttribute("aria-valuetext") !== words) this.#plot.setAttribute("aria-valuetext", words);
    }

    #tell(index) {
        const minute = this.#minutes[index];
        if (!minute) return;
        if (!this.#isTold) {
            this.#choose(index);
            return;
        }
        if (this.#tip.children.length === 0) this.#tip.append(html("strong"), html("span"));
        const { revision } = minute;
        const span = this.#format.span(minute.start, minute.end, this.#now);
        setText(this.#tip.children[0], minuteInWords({ ...minute, revision: 0 }, this.#format));
        setText(this.#tip.children[1], revision > 0 ? `${span} · corrected (revision ${this.#format.number(revision)})` : span);
        this.#tip.hidden = false;
        const width = this.#plot.clientWidth;
        const middle = MARGIN.left + ((index + 0.5) / this.#minutes.length) * (width - MARGIN.left);
        const half = this.#tip.offsetWidth / 2;
        this.#tip.style.left = `${Math.min(Math.max(middle, half), width - half)}px`;
    }
}

/** The pattern of a minute that still grows. */
function hatch() {
    const stripe = svg("rect", { class: "stripe", width: 3, height: 6 });
    const size = { width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" };
    return svg("defs", {}, svg("pattern", { id: "hatch", ...size }, stripe));
}
