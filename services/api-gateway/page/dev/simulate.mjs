// Makes a shop live: three hours of past, then views every second, minutes that close ten seconds after their end, and now and
// then a late event. The same seed gives the same past.

import { minuteAfter, minuteName } from "./shop.mjs";

const CATALOGUE = [
    ["Desk lamp Aurora", "Lamps", "24.90"],
    ["Wool blanket, grey", "Textiles", "79.00"],
    ["Espresso cup, set of 4", "Kitchen", "32.50"],
    ["Oak shelf, 120 cm", "Furniture", "189.00"],
    ["Linen cushion", "Textiles", "19.99"],
    ["Cast iron pan, 28 cm", "Kitchen", "54.00"],
    ["Reading chair", "Furniture", "449.00"],
    ["Floor lamp Arc", "Lamps", "129.00"],
    ["Chopping board, walnut", "Kitchen", "38.00"],
    ["Wall clock", "Decoration", "45.00"],
    ["Vase, stoneware", "Decoration", "29.00"],
    ["Bath towel", "Textiles", "14.50"],
    ["Bedside table", "Furniture", "99.00"],
    ["Pepper mill", "Kitchen", "42.00"],
    ["String lights", "Lamps", "17.90"],
    ["Picture frame, A3", "Decoration", "21.00"],
];
const PAST_MINUTES = 180;
const LATE_BY_MS = 10_000;

/** Fills `shop` and starts its life; returns how to end it. `revisions` adds late events that correct full minutes. */
export function simulate(shop, { seed = 1, revisions = false } = {}) {
    const random = randomBy(seed);
    CATALOGUE.forEach(([name, category, price], index) => shop.addProduct(String(index + 1), name, category, price));
    // One product that events name and the catalogue does not know.
    const products = [...shop.products.keys(), "sku-9001"];
    const level = new Map(products.map((product, index) => [product, 420 / (index + 1.6) + 12]));
    const expected = (product, minute) => {
        const wave = 1 + 0.35 * Math.sin(minute / 17 + Number.parseInt(product, 10)) + 0.25 * (random() - 0.5);
        return Math.max(0, Math.round(level.get(product) * (Number.isNaN(wave) ? 1 : wave)));
    };
    const current = Math.floor(shop.now() / 60_000);
    for (let minute = current - PAST_MINUTES; minute < current; minute += 1) {
        for (const product of products) {
            const count = expected(product, minute);
            // The least popular are looked at in some minutes only.
            if (count < 20 && random() < 0.5) continue;
            const revision = revisions && random() < 0.04 ? 1 : 0;
            shop.write(product, minuteName(minute * 60_000), count + revision, { final: true, revision });
        }
    }
    const goals = new Map();
    const tick = () => {
        const now = shop.now();
        const start = minuteName(now);
        if (!goals.has(start)) goals.set(start, new Map(products.map((product) => [product, expected(product, Math.floor(now / 60_000))])));
        const part = (now % 60_000) / 60_000;
        for (const [product, goal] of goals.get(start)) {
            const count = Math.round(goal * Math.min(1, part * (0.9 + 0.2 * random())));
            if (count > 0) shop.write(product, start, count);
        }
        const over = minuteName(now - 60_000 - LATE_BY_MS);
        shop.close(over);
        if (revisions && random() < 0.05) correct(shop, minuteAfter(over, -2), random);
    };
    tick();
    const timer = setInterval(tick, 1_000);
    return () => clearInterval(timer);
}

function correct(shop, minute, random) {
    const rows = shop.rowsAt(minute);
    const row = rows[Math.floor(random() * rows.length)];
    if (row) shop.write(row.product_id, minute, row.unique_user_count + 1, { final: true, revision: row.revision + 2 });
}

/** Numbers between 0 and 1 (mulberry32). */
function randomBy(seed) {
    let state = seed;
    return () => {
        state = (state + 0x6d2b79f5) | 0;
        let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
        mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
    };
}
