import assert from "node:assert/strict";
import { test } from "node:test";

import { Feed } from "../../assets/feed.mjs";

/** A feed on sources and a clock that the test moves. */
function start() {
    const world = { sources: [], millis: 0, timers: [], heard: [] };
    const platform = {
        open(url) {
            const source = new EventTarget();
            Object.assign(source, { url, readyState: 0, close: () => (source.readyState = 2) });
            world.sources.push(source);
            return source;
        },
        now: () => world.millis,
        after: (millis, run) => world.timers.push({ millis, run }),
        cancel: () => {},
        random: () => 1,
    };
    const hear = (name) => (data) => world.heard.push(data === undefined ? name : [name, data]);
    const on = { row: hear("row"), freshness: hear("freshness"), reset: hear("reset"), renewed: hear("renewed"), changed: () => {} };
    world.feed = new Feed("/analytics/stream", on, platform);
    world.feed.start();
    world.tell = (name, data) => {
        const event = new Event(name);
        event.data = JSON.stringify(data ?? {});
        world.sources.at(-1).dispatchEvent(event);
    };
    world.fail = (readyState) => {
        world.sources.at(-1).readyState = readyState;
        world.tell("error");
    };
    return world;
}

test("rows, freshness and resets are handed on as they come", () => {
    const world = start();
    world.tell("open");
    world.tell("window", { product_id: "1" });
    world.tell("watermark", { stale: false });
    world.tell("reset");
    assert.deepEqual(world.heard, [["row", { product_id: "1" }], ["freshness", { stale: false }], "reset"]);
});

test("a cut stream is resumed by the browser, and known to be lost until it is open again", () => {
    const world = start();
    world.tell("open");
    world.millis = 7_000;
    world.fail(0);
    assert.deepEqual(world.feed.connection, { lostAt: 7_000, nextTry: 9_000 });
    world.millis = 9_000;
    world.fail(0);
    assert.deepEqual(world.feed.connection, { lostAt: 7_000, nextTry: 11_000 });
    assert.deepEqual([world.sources.length, world.timers.length], [1, 0]);
    world.tell("open");
    assert.equal(world.feed.connection.lostAt, null);
});

test("a stream that the browser has given up is begun anew, less and less often, and rows may be missing then", () => {
    const world = start();
    const waits = [];
    for (let round = 0; round < 6; round += 1) {
        world.fail(2);
        waits.push(world.timers.at(-1).millis);
        world.timers.at(-1).run();
    }
    assert.deepEqual(waits, [2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    assert.deepEqual([world.sources.length, world.heard.length, world.heard[0]], [7, 6, "renewed"]);
    assert.equal(world.feed.connection.nextTry, null);
    world.tell("open");
    world.fail(2);
    assert.equal(world.timers.at(-1).millis, 2_000);
});

test("a stream on which nothing comes is dead", () => {
    const world = start();
    world.tell("open");
    world.millis = 19_999;
    world.feed.check();
    assert.equal(world.feed.connection.lostAt, null);
    world.tell("watermark", {});
    world.millis = 39_999;
    world.feed.check();
    assert.deepEqual([world.sources[0].readyState, world.feed.connection.lostAt], [2, 39_999]);
});
