// The page against a platform that knows what its counts have to be, and whose gateway can be restarted: `FOOTFALL` is the program,
// `FOOTFALL_DATA` the folder of the one that runs with the demo, `FOOTFALL_URL` its gateway. See services/local/page/run.

import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";

import { reach, sharedBrowser, table, textOf, visit } from "./world.mjs";

const { FOOTFALL, FOOTFALL_DATA, FOOTFALL_URL } = process.env;
const skip = FOOTFALL ? false : "there is no platform with a demo; services/local/page/run starts one";
/** How many products are looked at, the most viewed first. */
const PRODUCTS = 5;
/** How long the first full minute of the demo may take to be over. */
const LIMIT_MS = 240_000;
const PAUSE_MS = 500;

const shared = skip ? null : sharedBrowser();

/** The counts that are known for certain: [{ product, start, people }]; none while the demo makes its products. */
function answerKey() {
    const asked = spawnSync(FOOTFALL, ["demo", "key", "--minutes", "1", "--data", FOOTFALL_DATA], { encoding: "utf8" });
    if (asked.stderr.includes("no visitors yet")) return [];
    assert.equal(asked.status, 0, asked.stderr);
    const lines = asked.stdout.split("\n").map((line) => line.split("\t"));
    const known = lines.filter(([, , people]) => /^\d+$/.test(people ?? ""));
    return known.map(([product, start, people]) => ({ product, start, people: Number(people) }));
}

async function firstFullMinute() {
    const end = Date.now() + LIMIT_MS;
    for (;;) {
        const key = answerKey();
        if (key.length >= PRODUCTS) return key;
        assert.ok(Date.now() < end, "no minute of the demo is over");
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
}

test("the page shows the numbers of the answer key", { skip }, async (t) => {
    const key = (await firstFullMinute()).sort((one, other) => other.people - one.people).slice(0, PRODUCTS);
    for (const { product, start, people } of key) {
        const page = await visit(t, shared, FOOTFALL_URL);
        await page.evaluate((hash) => { location.hash = hash; }, `#/products/${product}`);
        await page.waitForSelector("#plot svg .final");
        await page.click("#minutes summary");
        const cells = await page.waitForSelector(`#minute-rows tr[data-start="${start}"]`);
        const shown = await cells.$$eval("th, td", (row) => row.map((cell) => cell.textContent));
        assert.equal(Number(shown[1].replace(/\D/g, "")), people, `product ${product}, ${start}: ${shown}`);
    }
});

test("the page goes on by itself after a restart of the gateway", { skip }, async (t) => {
    const page = await visit(t, shared, FOOTFALL_URL);
    await reach(page, "live");
    const before = await table(page);
    const restart = promisify(execFile)(FOOTFALL, ["faults", "down", "api-gateway", "--for", "5s", "--data", FOOTFALL_DATA]);
    await Promise.all([restart, reach(page, "reconnecting")]);
    assert.ok((await table(page)).length > 0, "what was known is gone");
    await reach(page, "live");
    assert.match(await textOf(page, "#announcer"), /^Live\. /);
    // The visitors go on as well.
    const isNewer = (old) => {
        const counts = [...document.querySelectorAll("#rows tr .count")].map((cell) => cell.textContent);
        return counts.length > 0 && JSON.stringify(counts) !== old;
    };
    await page.waitForFunction(isNewer, {}, JSON.stringify(before.map((row) => row.at(-1))));
});
