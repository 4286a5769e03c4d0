// The table of top products shows what the gateway told, and nothing that it did not.

import assert from "node:assert/strict";
import { test } from "node:test";

import { NAMES, RUNNING, emptyWorld, minuteAfter, reach, sharedBrowser, showsTable, textOf, visit, world } from "./world.mjs";

const shared = sharedBrowser();
const FIRST = [
    ["1", "up 1 place", NAMES[1], "1,234"],
    ["2", "down 1 place", NAMES[0], "700"],
    ["3", "new", "Product sku-9", "12"],
    ["4", "down 1 place", NAMES[2], "9"],
];

test("the running minute is ranked, and compared with the last full one", async (t) => {
    const { gateway } = await world(t);
    const page = await visit(t, shared, gateway.url);
    await showsTable(page, FIRST);
    await reach(page, "live");
    assert.equal(await textOf(page, "#minute"), "Running minute, 14:03 to 14:04");
    assert.match(await textOf(page, "#legend"), /compare with the last full minute, 14:02 to 14:03/);
    assert.match(await textOf(page, "#zone"), /^Times in Europe\/Berlin \(/);
    assert.match(await textOf(page, "#detail"), /^Data is .* old\. Everything up to 14:03:\d\d \(CET\) is counted\.$/);
    assert.ok(await page.$("#rows tr:nth-child(3) a.nameless"), "a product without a name is set back");
});

test("counts and ranks move as rows come, and a smaller row that comes late changes nothing", async (t) => {
    const { gateway, shop } = await world(t);
    const page = await visit(t, shared, gateway.url);
    await showsTable(page, FIRST);
    shop.write("3", RUNNING, 1_300);
    const moved = [["1", "up 2 places", NAMES[2], "1,300"], ["2", "same place", NAMES[1], "1,234"], ["3", "down 2 places", NAMES[0], "700"], ["4", "new", "Product sku-9", "12"]];
    await showsTable(page, moved);
    shop.write("4", RUNNING, 1);
    await showsTable(page, [...moved, ["5", "down 1 place", NAMES[3], "1"]]);
});

test("the table follows when a minute opens, and compares with the one that has closed", async (t) => {
    const { gateway, shop } = await world(t);
    const page = await visit(t, shared, gateway.url);
    await showsTable(page, FIRST);
    shop.write("4", minuteAfter(RUNNING, 1), 2);
    await showsTable(page, [["1", "up 3 places", NAMES[3], "2"]]);
    assert.equal(await textOf(page, "#minute"), "Running minute, 14:04 to 14:05");
    shop.close(RUNNING);
    await showsTable(page, [["1", "new", NAMES[3], "2"]]);
    assert.match(await textOf(page, "#legend"), /the last full minute, 14:03 to 14:04/);
});

test("while nothing runs the last full minute is shown and called so, without changes", async (t) => {
    const { gateway, shop } = await world(t);
    shop.close(RUNNING);
    const page = await visit(t, shared, gateway.url);
    await showsTable(page, FIRST.map(([rank, , name, count]) => [rank, "", name, count]));
    await reach(page, "quiet");
    assert.equal(await textOf(page, "#minute"), "Last full minute, 14:03 to 14:04");
});

test("sparklines have the minutes before the page was opened, also of products that come up later", async (t) => {
    const { gateway, shop } = await world(t);
    for (let index = 0; index < 12; index += 1) shop.write(`p${index}`, minuteAfter(RUNNING, -1), 100 + index, { final: true });
    shop.write("77", minuteAfter(RUNNING, -5), 33, { final: true });
    const page = await visit(t, shared, gateway.url);
    await showsTable(page, FIRST.map((row) => (row[2] === NAMES[2] ? [row[0], "up 11 places", row[2], row[3]] : row)));
    const spark = (product) => page.$eval(`tr[data-product="${product}"] svg`, (svg) => svg.getAttribute("aria-label"));
    assert.equal(await spark("1"), "3 of 30 minutes with views, 700 to 1,400 people in each");
    // Its past is neither in the first answer nor in the stream: the page has to ask for it.
    shop.write("77", RUNNING, 5_000);
    await page.waitForFunction(() => {
        const svg = document.querySelector("tr[data-product='77'] svg");
        return svg?.getAttribute("aria-label") === "2 of 30 minutes with views, 33 to 5,000 people in each";
    });
});

test("rows glide to their new place where the reader likes motion, and jump where not", async (t) => {
    for (const [motion, expected] of [["no-preference", true], ["reduce", false]]) {
        const { gateway, shop } = await world(t);
        const page = await visit(t, shared, gateway.url, { motion });
        await showsTable(page, FIRST);
        await page.evaluate(() => {
            const animate = Element.prototype.animate;
            Element.prototype.animate = function (...how) {
                document.body.dataset.glided = "yes";
                return animate.apply(this, how);
            };
        });
        shop.write("1", RUNNING, 5_000);
        await page.waitForFunction(() => document.querySelector("#rows tr").dataset.product === "1");
        assert.equal(await page.evaluate(() => document.body.dataset.glided === "yes"), expected, motion);
    }
});

test("the focus stays on its product when rows change places", async (t) => {
    const { gateway, shop } = await world(t);
    const page = await visit(t, shared, gateway.url);
    await showsTable(page, FIRST);
    await page.focus("tr[data-product='3'] a");
    shop.write("3", RUNNING, 9_000);
    await page.waitForFunction(() => document.querySelector("#rows tr").dataset.product === "3");
    assert.equal(await page.evaluate(() => document.activeElement.closest("tr")?.dataset.product), "3");
});

test("ten thousand products are no more than ten rows", async (t) => {
    const { gateway, shop } = await emptyWorld(t);
    for (let index = 0; index < 10_000; index += 1) shop.write(`p${index}`, RUNNING, index + 1);
    const page = await visit(t, shared, gateway.url);
    await page.waitForFunction(() => document.querySelector("#rows tr .count")?.textContent === "10,000");
    assert.equal((await page.$$("#rows tr")).length, 10);
    shop.write("p0", RUNNING, 10_001);
    await page.waitForFunction(() => document.querySelector("#rows tr .count").textContent === "10,001");
});
