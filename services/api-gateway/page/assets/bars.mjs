// The geometry of bars, for sparklines and for a product's chart. No DOM.

/** The least round number that is not below `value`: 1, 2, 4, 6, 8 or 10 times a power of ten, at least 4, so that halves are whole. */
export function roundTop(value) {
    const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
    const top = [1, 2, 4, 6, 8, 10].map((step) => step * power).find((candidate) => candidate >= value);
    return Math.max(top, 4);
}

/**
 * One bar for each value, from left to right: {x, y, width, height}. A value above zero is at least a pixel high; `gap` lies
 * between bars, where they are wide enough for one.
 */
export function bars(values, { width, height, top, gap }) {
    const step = width / values.length;
    const between = step > 2 * gap ? gap : 0;
    return values.map((value, index) => {
        const tall = value > 0 ? Math.max(1, (value / top) * height) : 0;
        return { x: index * step + between / 2, y: height - tall, width: step - between, height: tall };
    });
}

/** The path that fills these bars. */
export function path(shapes) {
    const round = (value) => Math.round(value * 100) / 100;
    return shapes
        .filter((bar) => bar.height > 0)
        .map((bar) => `M${round(bar.x)} ${round(bar.y)}h${round(bar.width)}v${round(bar.height)}h${round(-bar.width)}z`)
        .join("");
}

/** How many minutes lie between two labels of the time axis, where one label is `labelWidth` wide. */
export function labelEvery(minutes, width, labelWidth) {
    const fitting = Math.max(1, Math.floor(width / labelWidth));
    return [5, 10, 15, 30, 60].find((every) => minutes / every <= fitting) ?? 60;
}
