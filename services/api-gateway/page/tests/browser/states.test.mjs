// Each state of the data has words of its own, and the page finds out of it by itself.

import assert from "node:assert/strict";
import { test } from "node:test";

import { LOOKS, overflow, violations } from "./axe.mjs";
import { NAMES, RUNNING, emptyWorld, reach, sharedBrowser, showsTable, table, textOf, visit, world } from "./world.mjs";

const shared = sharedBrowser();

/** Brings a new shop into each state: what to do before the page is opened, and when it has rows. */
const STATES = {
    stale: { before: ({ shop }) => shop.stopJob({ secondsAgo: 75 }) },
    empty: { hasRows: false, before: () => {} },
    unavailable: { hasRows: false, before: ({ gateway }) => (gateway.switches.outage = true) },
    quiet: { before: ({ shop }) => shop.close(RUNNING) },
    reconnecting: { before: () => {}, later: ({ gateway }) => gateway.stop() },
};

async function pageIn(t, state, look) {
    const { hasRows = true, before, later } = STATES[state];
    const made = await (hasRows ? world : emptyWorld)(t);
    before(made);
    const page = await visit(t, shared, made.gateway.url, look);
    if (later) {
        await reach(page, "live");
        await later(made);
    }
    await reach(page, state);
    return { ...made, page };
}

for (const state of Object.keys(STATES)) {
    test(`axe finds nothing while the data is ${state}`, async (t) => {
        for (const look of LOOKS) {
            const { page } = await pageIn(t, state, look);
            // Colours that change gently have arrived.
            await page.waitForFunction(() => document.getAnimations().length === 0);
            assert.deepEqual(await violations(page), [], JSON.stringify(look));
            assert.equal(await overflow(page), 0);
        }
    });
}

test("stale: since when, and what still works; counts stay, and go on when the job is back", async (t) => {
    const { page, shop } = await pageIn(t, "stale");
    assert.match(await textOf(page, "#detail"), /^The job has not said anything for 1 min 1\d s, since 14:02:1\d \(CET\)\. What is counted can still be read;/);
    assert.equal((await table(page)).length, 4);
    shop.startJob();
    await reach(page, "live");
});

test("a job that stops while the page is open becomes stale by itself", async (t) => {
    const { shop, gateway } = await world(t);
    const page = await visit(t, shared, gateway.url);
    await reach(page, "live");
    shop.stopJob({ secondsAgo: 9 });
    await reach(page, "stale");
    assert.match(await textOf(page, "#announcer"), /^Stale\. /);
});

test("a job that never ran is told as such", async (t) => {
    const { shop, gateway } = await emptyWorld(t);
    shop.stopJob({ never: true });
    const page = await visit(t, shared, gateway.url);
    await reach(page, "stale");
    assert.match(await textOf(page, "#detail"), /^Whether the job is at work is not known/);
});

test("empty: how to send the first event, and its row when it comes", async (t) => {
    const { page, shop, gateway } = await pageIn(t, "empty");
    assert.match(await textOf(page, "#hint"), new RegExp(`^curl ${gateway.url}/events .*"event_type":"VIEW_PRODUCT"`));
    assert.equal(await page.$eval("#empty", (element) => element.hidden), false);
    shop.write("1", RUNNING, 1);
    await reach(page, "live");
    await showsTable(page, [["1", "", NAMES[0], "1"]]);
    assert.equal(await page.$eval("#empty", (element) => element.hidden), true);
});

test("unavailable: what the gateway said, and counts as soon as it has them", async (t) => {
    const { page, shop, gateway } = await pageIn(t, "unavailable");
    assert.equal(await textOf(page, "#detail"), "DynamoDB does not answer; try again later. Trying again.");
    gateway.switches.outage = false;
    shop.write("1", RUNNING, 3);
    await reach(page, "live");
});

test("reconnecting: the age, the next try, and everything that was missed once the gateway is back", async (t) => {
    const { shop, gateway } = await world(t);
    const page = await visit(t, shared, gateway.url);
    await reach(page, "live");
    await gateway.stop();
    await reach(page, "reconnecting");
    assert.match(await textOf(page, "#detail"), /^The connection was lost \d+ s ago; (next try in \d+ s|trying now)\. Data is \d+ s old\./);
    assert.equal((await table(page)).length, 4);
    shop.write("4", RUNNING, 4_321);
    await gateway.start();
    await reach(page, "live");
    await page.waitForFunction(() => document.querySelector("#rows tr .count").textContent === "4,321");
    assert.match(await textOf(page, "#announcer"), /^Live\. /);
});

test("a stream that is cut now and then is resumed without a word", async (t) => {
    const { shop, gateway } = await world(t);
    gateway.switches.retryMs = 50;
    const page = await visit(t, shared, gateway.url);
    await reach(page, "live");
    for (const count of [5_001, 5_002, 5_003]) {
        gateway.cutStreams();
        shop.write("1", RUNNING, count);
        await page.waitForFunction((wanted) => document.querySelector("#rows tr .count").textContent === wanted, {}, count.toLocaleString("en-GB"));
    }
    assert.ok(gateway.requests.filter((path) => path === "/analytics/stream").length >= 4);
    assert.equal(gateway.requests.filter((path) => path.startsWith("/analytics/top")).length, 2);
    assert.doesNotMatch(await textOf(page, "#announcer"), /Reconnecting/);
});

test("a stream that cannot be resumed begins anew, and what was known is forgotten", async (t) => {
    const { gateway } = await world(t);
    Object.assign(gateway.switches, { retryMs: 50, resets: true });
    const page = await visit(t, shared, gateway.url);
    await reach(page, "live");
    gateway.cutStreams();
    await page.waitForResponse((response) => response.url().includes("/analytics/top"));
    await page.waitForFunction(() => document.querySelector("#rows tr .count")?.textContent === "1,234");
});

test("where streams are refused, counts are asked for again and again until they are not", async (t) => {
    const { shop, gateway } = await world(t);
    gateway.switches.cut = true;
    const page = await visit(t, shared, gateway.url);
    await reach(page, "reconnecting");
    shop.write("1", RUNNING, 7_000);
    await page.waitForFunction(() => document.querySelector("#rows tr .count").textContent === "7,000");
    gateway.switches.cut = false;
    await reach(page, "live");
});

test("catalogue down: counts go on without names, which come when it is back", async (t) => {
    const { gateway } = await world(t);
    gateway.switches.catalogueDown = true;
    const page = await visit(t, shared, gateway.url);
    await reach(page, "live");
    await page.waitForSelector("#notice:not([hidden])");
    assert.match(await textOf(page, "#notice"), /^Names are missing/);
    assert.deepEqual((await table(page)).map((row) => row[2]), ["Product 2", "Product 1", "Product sku-9", "Product 3"]);
    gateway.switches.catalogueDown = false;
    await page.waitForSelector("#notice[hidden]", { timeout: 30_000 });
    await page.waitForFunction((name) => document.querySelector("#rows tr a").textContent === name, {}, NAMES[1]);
});

test("screen readers hear of another state, and of no number", async (t) => {
    const { shop, gateway } = await world(t);
    const page = await visit(t, shared, gateway.url);
    await reach(page, "live");
    await page.evaluate(() => {
        globalThis.heard = [];
        const live = document.querySelectorAll("[aria-live], [role=status], [role=alert]");
        const observer = new MutationObserver((changes) => globalThis.heard.push(...changes.map((change) => change.target.textContent)));
        for (const element of live) observer.observe(element, { childList: true, characterData: true, subtree: true });
    });
    shop.write("1", RUNNING, 8_000);
    await page.waitForFunction(() => document.querySelector("#rows tr .count").textContent === "8,000");
    assert.deepEqual(await page.evaluate(() => globalThis.heard), []);
    shop.stopJob({ secondsAgo: 30 });
    await reach(page, "stale");
    assert.equal((await page.evaluate(() => globalThis.heard)).length, 1);
});
