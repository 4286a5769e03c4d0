import assert from "node:assert/strict";
import { test } from "node:test";

import { bars, labelEvery, path, roundTop } from "../../assets/bars.mjs";
import { Counts, minuteAfter } from "../../assets/counts.mjs";
import { Freshness } from "../../assets/freshness.mjs";
import { Loader } from "../../assets/loader.mjs";
import { ProductRows } from "../../assets/minutes.mjs";
import { Names, isCatalogueId } from "../../assets/names.mjs";

const NOON = "2026-01-15T12:00:00Z";
const FRESHNESS = { watermark: NOON, processed_at: NOON, age_seconds: 0, stale: false };

function row(minutes, unique_user_count, { final = true, revision = 0 } = {}) {
    return { product_id: "1", window_start: minuteAfter(NOON, minutes), unique_user_count, revision, final };
}

test("a minute without a row is one without views only where it is counted and was asked for", () => {
    const rows = new ProductRows();
    rows.apply([row(0, 4), row(3, 2, { final: false })]);
    const now = Date.parse(minuteAfter(NOON, 3)) + 30_000;
    const kinds = (watermark) => rows.minutes(now, 5, watermark).map((minute) => minute.kind);
    assert.deepEqual(kinds(now), ["unknown", "final", "unknown", "unknown", "open"]);
    rows.isCompleteFrom(NOON);
    assert.deepEqual(kinds(Date.parse(minuteAfter(NOON, 2))), ["unknown", "final", "none", "unknown", "open"]);
    rows.isCompleteFrom("");
    assert.deepEqual(kinds(null), ["unknown", "final", "unknown", "unknown", "open"]);
    assert.deepEqual(kinds(now)[0], "none");
});

test("events a moment ahead of the clock are in the last minute, and corrections replace what was there", () => {
    const rows = new ProductRows();
    assert.ok(rows.apply([row(1, 1, { final: false }), row(0, 5)]));
    assert.ok(rows.apply([row(0, 6, { revision: 2 })]));
    assert.ok(!rows.apply([row(0, 9, { revision: 1 })]));
    const minutes = rows.minutes(Date.parse(NOON) + 59_000, 2, null);
    assert.deepEqual(minutes.map(({ count, revision }) => [count, revision]), [[6, 2], [1, 0]]);
});

test("bars fill their width, keep their proportions, and a view is never invisible", () => {
    const [none, one, half, all] = bars([0, 1, 5_000, 10_000], { width: 40, height: 100, top: 10_000, gap: 2 });
    assert.deepEqual([none.height, one.height, half.height, all.height], [0, 1, 50, 100]);
    assert.deepEqual([half.x, half.width, half.y], [21, 8, 50]);
    assert.equal(path([none, all]), "M31 0h8v100h-8z");
});

test("axes end at round numbers", () => {
    assert.deepEqual([0, 3, 5, 17, 100, 401].map(roundTop), [4, 4, 6, 20, 100, 600]);
    assert.deepEqual([labelEvery(30, 1_000, 64), labelEvery(180, 1_000, 64), labelEvery(180, 300, 64)], [5, 15, 60]);
});

test("ids that the catalogue cannot have are not asked for", async () => {
    const asked = [];
    const names = new Names(async (ids) => asked.push(ids) && [], () => {});
    await names.want(["sku-1", "0", "9223372036854775808", "9223372036854775807"]);
    assert.deepEqual(asked, [["9223372036854775807"]]);
    assert.equal(names.of("sku-1"), null);
    assert.ok(!isCatalogueId("12345678901234567890"));
});

test("names are asked for once and in batches, and again later where there was none", async () => {
    const clock = { millis: 0 };
    const asked = [];
    const ask = async (ids) => {
        asked.push(ids);
        return ids.filter((id) => id !== "7").map((id) => ({ id, name: `Lamp ${id}` }));
    };
    const names = new Names(ask, () => {}, () => clock.millis);
    await Promise.all([names.want(["7", "8"]), names.want(["7", "8"])]);
    assert.deepEqual([asked.length, names.of("8"), names.of("7"), names.of("9")], [1, "Lamp 8", null, undefined]);
    clock.millis += 61_000;
    await names.want(["7", "8"]);
    assert.deepEqual(asked[1], ["7"]);
    await names.want(Array.from({ length: 300 }, (_, index) => String(index + 100)));
    assert.equal(asked[2].length, 200);
});

test("a catalogue that is down is told, and left alone for a while", async () => {
    const clock = { millis: 0 };
    let isDown = true;
    const ask = async (ids) => {
        if (isDown) throw new Error("down");
        return ids.map((id) => ({ id, name: "Lamp" }));
    };
    const names = new Names(ask, () => {}, () => clock.millis);
    await names.want(["1"]);
    assert.equal(names.problem.message, "down");
    isDown = false;
    await names.want(["1"]);
    assert.equal(names.of("1"), undefined);
    clock.millis += 10_000;
    await names.want(["1"]);
    assert.deepEqual([names.of("1"), names.problem], ["Lamp", null]);
});

/** A loader of `answers(path)`, and the tries that it has put off. */
function loaderOf(answers) {
    const parts = { counts: new Counts(), freshness: new Freshness(() => 0), later: [], asked: [] };
    parts.names = new Names(async () => [], () => {}, () => 0);
    parts.loader = new Loader({
        ...parts,
        get: async (where) => {
            parts.asked.push(where);
            return answers(where);
        },
        changed: () => {},
        now: () => 0,
        after: (millis, run) => parts.later.push({ millis, run }),
        cancel: () => {},
    });
    return parts;
}

const WANTED = { shown: 10, compared: 100, minutes: 30 };
const minuteOf = (start, items) => ({ window_start: start, window_end: minuteAfter(start, 1), items });
const itemOf = (product_id, unique_user_count, more = {}) => ({ rank: 1, product_id, product_name: null, unique_user_count, ...more });

test("the first answers bring ranks, names and pasts, and the past of later ones is asked for by itself", async () => {
    const history = [{ window_start: minuteAfter(NOON, -1), unique_user_count: 3, final: true, revision: 1 }];
    const answer = {
        closed: minuteOf(NOON, [itemOf("1", 9, { history, product_name: "Lamp" })]),
        open: minuteOf(minuteAfter(NOON, 1), [itemOf("2", 4)]),
        freshness: FRESHNESS,
    };
    const windows = { items: [{ ...row(-3, 8), product_id: "2" }] };
    const { loader, counts, names, asked } = loaderOf((where) => (where.startsWith("/analytics/top") ? answer : windows));
    await loader.load(WANTED);
    assert.deepEqual([loader.problem, counts.row("1", minuteAfter(NOON, -1)).revision, names.of("1"), names.of("2")], [null, 1, "Lamp", null]);
    assert.deepEqual(counts.top(10).map((item) => item.change), [{ kind: "new", by: 0 }]);
    await loader.wantPasts(["1", "2"]);
    assert.deepEqual(asked.slice(2), ["/analytics/products/2/windows?limit=31"]);
    assert.equal(counts.row("2", minuteAfter(NOON, -3)).unique_user_count, 8);
    await loader.wantPasts(["1", "2"]);
    assert.equal(asked.length, 3);
});

test("a missing name is not taken for one that does not exist while the catalogue is down", async () => {
    const answer = {
        closed: minuteOf(NOON, [itemOf("1", 9)]),
        open: null,
        freshness: FRESHNESS,
        unavailable: [{ part: "product_name", reason: "dependency-unavailable" }],
    };
    const { loader, names } = loaderOf(() => answer);
    await loader.load(WANTED);
    assert.equal(names.of("1"), undefined);
    assert.ok(names.problem);
});

test("what fails is tried again, less and less often", async () => {
    const { loader, later, counts } = loaderOf(() => {
        throw new Error("down");
    });
    await loader.load(WANTED);
    assert.equal(loader.problem.message, "down");
    for (let round = 0; round < 6; round += 1) await later.at(-1).run();
    assert.deepEqual(later.map((each) => each.millis), [2_000, 4_000, 8_000, 15_000, 30_000, 30_000, 30_000]);
    counts.apply({ ...row(0, 1), window_end: NOON });
    await loader.wantPasts(["1"]);
    assert.deepEqual(counts.withoutPast(["1"]), ["1"]);
});
