import assert from "node:assert/strict";
import { test } from "node:test";

import { COMPARED_RANKS, Counts, KEPT_MINUTES, isNewer, minuteAfter, minuteName } from "../../assets/counts.mjs";

const NOON = "2026-01-15T12:00:00Z";

function row(product_id, minutes, unique_user_count, { final = false, revision = 0 } = {}) {
    const window_start = minuteAfter(NOON, minutes);
    return { product_id, window_start, window_end: minuteAfter(window_start, 1), unique_user_count, revision, final };
}

function countsOf(...rows) {
    const counts = new Counts();
    for (const each of rows) counts.apply(each);
    return counts;
}

const products = (counts, limit = 10) => counts.top(limit).map((item) => item.product_id);

test("a minute's name sorts as its time does", () => {
    assert.equal(minuteName(Date.parse("2026-01-15T12:00:59.999Z")), NOON);
    assert.equal(minuteAfter("2026-01-15T23:59:00Z", 1), "2026-01-16T00:00:00Z");
});

test("of two rows the greater by final, revision and count is kept, in whichever order they come", () => {
    const ascending = [
        row("1", 0, 900),
        row("1", 0, 901),
        row("1", 0, 5, { final: true }),
        row("1", 0, 6, { final: true }),
        row("1", 0, 2, { final: true, revision: 3 }),
    ];
    for (const [index, newer] of ascending.entries()) {
        for (const older of ascending.slice(0, index)) assert.ok(isNewer(newer, older) && !isNewer(older, newer));
        assert.ok(!isNewer(newer, newer));
    }
    const counts = countsOf(...[...ascending].reverse());
    assert.equal(counts.row("1", NOON).unique_user_count, 2);
    assert.equal(counts.apply(ascending[0]), false);
});

test("products are ranked by count, and equal counts by product id", () => {
    const counts = countsOf(row("b", 0, 3), row("c", 0, 7), row("a", 0, 3), row("d", 0, 1));
    assert.deepEqual(products(counts), ["c", "a", "b", "d"]);
    assert.deepEqual(counts.top(2).map((item) => [item.rank, item.count]), [[1, 7], [2, 3]]);
    counts.apply(row("d", 0, 8));
    assert.deepEqual(products(counts, 1), ["d"]);
});

test("the table follows when a new minute opens, and shows the last full one while nothing runs", () => {
    const counts = countsOf(row("1", 0, 3, { final: true }));
    assert.deepEqual(counts.shown(), { start: NOON, end: minuteAfter(NOON, 1), isOpen: false });
    counts.apply(row("2", 1, 1));
    assert.deepEqual(counts.shown(), { start: minuteAfter(NOON, 1), end: minuteAfter(NOON, 2), isOpen: true });
    assert.deepEqual(products(counts), ["2"]);
    assert.equal(countsOf().shown(), null);
    assert.deepEqual(products(countsOf()), []);
});

test("a minute is over when all of its rows are final, or a later one has final rows", () => {
    const counts = countsOf(row("1", 0, 3), row("2", 0, 9), row("1", 0, 4, { final: true }));
    assert.equal(counts.shown().isOpen, true);
    assert.deepEqual(products(counts), ["2", "1"]);
    counts.apply(row("2", 0, 9, { final: true }));
    counts.apply(row("2", 0, 8, { final: true, revision: 1 }));
    assert.equal(counts.shown().isOpen, false);
    const later = countsOf(row("1", 0, 3), row("1", 1, 1, { final: true }), row("1", 2, 1));
    assert.equal(later.compared(), minuteAfter(NOON, 1));
    later.apply(row("2", 1, 5));
    assert.equal(later.compared(), NOON);
    later.apply(row("1", 2, 2, { final: true }));
    later.apply(row("1", 3, 1));
    assert.equal(later.compared(), minuteAfter(NOON, 2));
});

test("rank changes compare with the last full minute, not with one that is still open", () => {
    const counts = countsOf(
        ...["a", "b", "c", "d"].map((product, index) => row(product, 0, 90 - index, { final: true })),
        row("c", 1, 50),
        row("a", 2, 7),
        row("c", 2, 9),
        row("e", 2, 8),
        row("d", 2, 6),
    );
    assert.equal(counts.compared(), NOON);
    const changes = Object.fromEntries(counts.top(10).map((item) => [item.product_id, item.change]));
    assert.deepEqual(changes, {
        c: { kind: "up", by: 2 },
        e: { kind: "new", by: 0 },
        a: { kind: "down", by: 2 },
        d: { kind: "same", by: 0 },
    });
});

test("without a full minute, or without a running one, there is no change of ranks", () => {
    assert.equal(countsOf(row("a", 0, 1)).top(1)[0].change, null);
    const closed = countsOf(row("a", 0, 1, { final: true }), row("a", 1, 1, { final: true }));
    assert.equal(closed.compared(), null);
    assert.equal(closed.top(1)[0].change, null);
});

test("a product is new when it was not among the first hundred, whether the rest is known or not", () => {
    const closed = Array.from({ length: COMPARED_RANKS + 1 }, (_, index) => row(`p${index}`, 0, 1_000 - index, { final: true }));
    const counts = countsOf(...closed, row(`p${COMPARED_RANKS}`, 1, 2), row(`p${COMPARED_RANKS - 1}`, 1, 1));
    assert.deepEqual(counts.top(2).map((item) => item.change), [{ kind: "new", by: 0 }, { kind: "up", by: COMPARED_RANKS - 2 }]);
});

test("a sparkline has a place for every minute, the oldest first, and none for those without views", () => {
    const counts = countsOf(row("1", 0, 3, { final: true }), row("1", 2, 5), row("2", 3, 1));
    assert.deepEqual(counts.history("1", 5).map((each) => each?.unique_user_count ?? null), [null, 3, null, 5, null]);
});

test("half an hour is kept, and what is older is not taken in", () => {
    const counts = countsOf(row("1", 0, 3), row("1", KEPT_MINUTES - 1, 1));
    assert.ok(counts.row("1", NOON));
    counts.apply(row("1", KEPT_MINUTES, 1));
    assert.equal(counts.row("1", NOON), undefined);
    assert.equal(counts.apply(row("1", 0, 9)), false);
    assert.equal(counts.rowsOf("1").length, 2);
});

test("a reset forgets rows and pasts; missed rows make pasts be asked for again and keep the rows", () => {
    const counts = countsOf(row("1", 0, 3));
    counts.hasPastOf(["1"]);
    assert.deepEqual(counts.withoutPast(["1", "2"]), ["2"]);
    counts.forgetPasts();
    assert.deepEqual(counts.withoutPast(["1"]), ["1"]);
    assert.ok(counts.shown());
    counts.hasPastOf(["1"]);
    counts.reset();
    assert.equal(counts.shown(), null);
    assert.deepEqual(counts.withoutPast(["1"]), ["1"]);
});

test("any order of the same rows leads to the same table", () => {
    const rows = [];
    for (let minute = 0; minute < 3; minute += 1) {
        for (let product = 0; product < 6; product += 1) {
            for (let count = 1; count <= 3; count += 1) rows.push(row(`p${product}`, minute, count * (product % 4) + minute + 1));
            if (minute < 2) rows.push(row(`p${product}`, minute, 3 * (product % 4) + minute + 1, { final: true }));
        }
    }
    const expected = countsOf(...rows).top(10);
    let state = 7;
    for (let round = 0; round < 50; round += 1) {
        const shuffled = rows.map((each) => [(state = (state * 48_271) % 2_147_483_647), each]).sort((a, b) => a[0] - b[0]);
        assert.deepEqual(countsOf(...shuffled.map(([, each]) => each)).top(10), expected);
    }
});
