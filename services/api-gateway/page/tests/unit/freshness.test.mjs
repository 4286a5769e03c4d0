import assert from "node:assert/strict";
import { test } from "node:test";

import { Freshness, STALE_AFTER_SECONDS, UNNOTICED_MS, stateOf } from "../../assets/freshness.mjs";

const PROCESSED = Date.parse("2026-01-15T12:03:30.000Z");
const SAID = { watermark: "2026-01-15T12:03:20.000Z", processed_at: "2026-01-15T12:03:30.000Z", age_seconds: 1, stale: false };
const OPEN = { start: "2026-01-15T12:03:00Z", end: "2026-01-15T12:04:00Z", isOpen: true };

/** A freshness, and a clock to move; the wall clock is a year wrong. */
function freshnessWith(said) {
    const clock = { millis: 5_000 };
    const freshness = new Freshness(() => clock.millis, () => 0);
    if (said) freshness.receive(said);
    return { freshness, clock };
}

const state = (freshness, more = {}) => stateOf({ freshness, lostFor: null, problem: null, shown: OPEN, ...more });

test("age grows by a clock that is never set, and the server's time is what it said plus what has passed", () => {
    const { freshness, clock } = freshnessWith(SAID);
    clock.millis += 2_500;
    assert.equal(freshness.age, 3.5);
    assert.equal(freshness.now, PROCESSED + 3_500);
    assert.equal(freshness.watermark, PROCESSED - 10_000);
});

test("before the server has told anything there is no age, and the time is the machine's own", () => {
    const { freshness } = freshnessWith(null);
    assert.deepEqual([freshness.isKnown, freshness.age, freshness.watermark, freshness.now], [false, null, null, 0]);
});

test("a job that never said anything is stale", () => {
    const { freshness } = freshnessWith({ watermark: null, processed_at: null, age_seconds: null, stale: true });
    assert.equal(state(freshness), "stale");
});

test("a server that cannot tell is like a job that never said anything", () => {
    const { freshness } = freshnessWith(SAID);
    freshness.receive(null);
    assert.deepEqual([freshness.isKnown, freshness.age, state(freshness)], [true, null, "stale"]);
});

test("data is stale when the gateway says so, and when it has grown old here", () => {
    assert.equal(state(freshnessWith({ ...SAID, stale: true }).freshness), "stale");
    const { freshness, clock } = freshnessWith(SAID);
    clock.millis += (STALE_AFTER_SECONDS - 1) * 1_000;
    assert.equal(state(freshness), "live");
    clock.millis += 1;
    assert.equal(state(freshness), "stale");
});

test("a quiet shop is one whose minutes are over while the job is at work", () => {
    const { freshness } = freshnessWith(SAID);
    assert.equal(state(freshness, { shown: { ...OPEN, isOpen: false } }), "quiet");
    const older = { start: "2026-01-15T12:01:00Z", end: "2026-01-15T12:02:00Z", isOpen: true };
    assert.equal(state(freshness, { shown: older }), "quiet");
    assert.equal(state(freshness, { shown: null }), "empty");
});

test("a cut that the browser mends at once is not worth a word", () => {
    const { freshness } = freshnessWith(SAID);
    assert.equal(state(freshness, { lostFor: UNNOTICED_MS - 1 }), "live");
    assert.equal(state(freshness, { lostFor: UNNOTICED_MS }), "reconnecting");
});

test("an error counts while there is nothing else to show", () => {
    assert.equal(state(freshnessWith(null).freshness), "loading");
    assert.equal(state(freshnessWith(null).freshness, { problem: new Error("down") }), "unavailable");
    assert.equal(state(freshnessWith(SAID).freshness, { problem: new Error("down") }), "live");
});
