// The view of one product, and the search that leads to it.

import assert from "node:assert/strict";
import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { LOOKS, overflow, violations } from "./axe.mjs";
import { NAMES, RUNNING, minuteAfter, reach, sharedBrowser, textOf, visit, world } from "./world.mjs";

const shared = sharedBrowser();

async function visitProduct(t, id, options) {
    const made = await world(t);
    const page = await visit(t, shared, `${made.gateway.url}/#/products/${encodeURIComponent(id)}`, options);
    await page.waitForSelector("#plot svg rect.none");
    return { ...made, page };
}

/** The rows of the table: [minute, people, state], the last minute first. */
function minutes(page) {
    return page.$$eval("#minute-rows tr", (rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent)));
}

test("a product has its name, price and category, and its counts of right now", async (t) => {
    const { page, shop } = await visitProduct(t, "1");
    await page.waitForFunction(() => document.querySelector("#product-facts").textContent === "€19.90 · Home · id 1");
    assert.equal(await textOf(page, "#product-title"), NAMES[0]);
    assert.equal(await page.title(), `${NAMES[0]} - Footfall`);
    assert.deepEqual([await textOf(page, "#running"), await textOf(page, "#running-span")], ["700", "14:03 to 14:04"]);
    assert.deepEqual([await textOf(page, "#full"), await textOf(page, "#full-span")], ["1,400", "14:02 to 14:03"]);
    shop.write("1", RUNNING, 1_701);
    await page.waitForFunction(() => document.querySelector("#running").textContent === "1,701");
    assert.equal(await page.$eval("#plot svg .open", (bar) => bar.getAttribute("fill")), "url(#hatch)");
});

test("the table has every minute: full, running, corrected, without views and not counted yet", async (t) => {
    const { page, shop } = await visitProduct(t, "1");
    await page.click("input[value='30']");
    await page.click("#minutes summary");
    await page.waitForFunction(() => document.querySelectorAll("#minute-rows tr").length === 30);
    assert.deepEqual((await minutes(page)).slice(0, 5), [
        ["14:03 to 14:04", "700", "running"],
        ["14:02 to 14:03", "1,400", "full"],
        ["14:01 to 14:02", "0", "nobody"],
        ["14:00 to 14:01", "1,217", "corrected by late events (revision 2)"],
        ["13:59 to 14:00", "0", "nobody"],
    ]);
    shop.write("1", minuteAfter(RUNNING, -1), 1_402, { final: true, revision: 1 });
    await page.waitForFunction(() => document.querySelector("#minute-rows tr:nth-child(2)").textContent.includes("1,402corrected"));
    shop.write("2", minuteAfter(RUNNING, 1), 1);
    shop.write("1", minuteAfter(RUNNING, 2), 1);
    await page.waitForFunction(() => document.querySelector("#minute-rows tr:nth-child(2)").textContent === "14:04 to 14:05–not known yet");
});

test("a pointer and arrow keys tell each minute exactly, and the choice moves with its minute", async (t) => {
    const { page, shop } = await visitProduct(t, "1");
    await page.click("input[value='30']");
    await page.hover(`#plot rect[data-start="${minuteAfter(RUNNING, -1)}"]`);
    await page.waitForSelector("#tip:not([hidden])");
    assert.equal(await textOf(page, "#tip strong"), "1,400 people");
    assert.equal(await textOf(page, "#tip span"), "14:02 to 14:03");
    await page.mouse.move(0, 0);
    await page.waitForSelector("#tip[hidden]");
    await page.focus("#plot");
    await page.keyboard.press("End");
    const spoken = () => page.$eval("#plot", (plot) => plot.getAttribute("aria-valuetext"));
    assert.equal(await spoken(), "14:03 to 14:04: 700 people so far");
    for (let step = 0; step < 3; step += 1) await page.keyboard.press("ArrowLeft");
    assert.equal(await spoken(), "14:00 to 14:01: 1,217 people, corrected by late events (revision 2)");
    assert.equal(await textOf(page, "#tip span"), "14:00 to 14:01 · corrected (revision 2)");
    shop.write("1", minuteAfter(RUNNING, 1), 5);
    await page.waitForFunction(() => document.querySelector("#running").textContent === "5");
    assert.match(await spoken(), /^14:00 to 14:01: 1,217 people/);
});

test("a product that the catalogue does not know has counts all the same", async (t) => {
    const { page } = await visitProduct(t, "sku-9");
    assert.equal(await textOf(page, "#product-title"), "Product sku-9");
    assert.equal(await textOf(page, "#product-facts"), "id sku-9 · not known to the catalogue");
    assert.equal(await textOf(page, "#running"), "12");
});

test("ids are any text: they are neither markup nor parts of a path", async (t) => {
    const { page, gateway } = await visitProduct(t, "<b>a/b?c%20d</b>");
    assert.equal(await textOf(page, "#product-title"), "Product <b>a/b?c%20d</b>");
    assert.equal(await page.$("#product-title b"), null);
    assert.ok(gateway.requests.some((path) => path.startsWith("/analytics/products/%3Cb%3Ea%2Fb%3Fc%2520d%3C%2Fb%3E/windows")));
});

test("the CSV file has the span that is shown, as the gateway writes it", async (t) => {
    const { page, gateway } = await visitProduct(t, "1");
    const folder = await mkdtemp(join(tmpdir(), "footfall-csv-"));
    t.after(() => rm(folder, { recursive: true }));
    const session = await page.createCDPSession();
    await session.send("Browser.setDownloadBehavior", { behavior: "allow", downloadPath: folder, browserContextId: page.browserContext().id, eventsEnabled: true });
    const finished = new Promise((resolve) => {
        session.on("Browser.downloadProgress", (progress) => progress.state === "completed" && resolve());
    });
    await page.click("input[value='30']");
    await page.click("#csv");
    await finished;
    assert.deepEqual(await readdir(folder), ["product-1-2026-01-15T123400Z.csv"]);
    const lines = (await readFile(join(folder, "product-1-2026-01-15T123400Z.csv"), "utf8")).split("\r\n");
    assert.equal(lines[1], "1,2026-01-15T13:03:00Z,2026-01-15T13:04:00Z,700,0,false");
    assert.equal(lines.length, 5);
    gateway.switches.outage = true;
    await page.click("#csv");
    await page.waitForSelector("#csv-failure:not([hidden])");
    assert.match(await textOf(page, "#csv-failure"), /^The file cannot be made\. DynamoDB does not answer/);
});

test("minutes that cannot be read are said to be unknown, not to be without views", async (t) => {
    const { gateway } = await world(t);
    const page = await visit(t, shared, gateway.url);
    await reach(page, "live");
    gateway.switches.outage = true;
    await page.click("tr[data-product='1'] a");
    await page.waitForSelector("#product-failure:not([hidden])");
    assert.match(await textOf(page, "#product-failure"), /^The minutes cannot be read\. DynamoDB does not answer/);
    assert.equal(await page.$("#plot svg .none"), null);
    assert.equal(await textOf(page, "#running"), "700");
    gateway.switches.outage = false;
    await page.waitForSelector("#plot svg .none", { timeout: 30_000 });
    assert.equal(await page.$eval("#product-failure", (element) => element.hidden), true);
});

test("the search asks once for what was typed, lists what was found, and leads to it", async (t) => {
    const { gateway } = await world(t);
    const page = await visit(t, shared, gateway.url);
    await page.type("#query", "la");
    await page.waitForSelector("#results:not([hidden])");
    assert.deepEqual(gateway.requests.filter((path) => path.includes("q=")), ["/products?q=la&limit=20"]);
    const options = await page.$$eval("#results li", (found) => found.map((option) => option.textContent));
    assert.deepEqual(options, ["Desk lampHome · €19.90", `${NAMES[1]}Home · €19.90`, "Counts of product id “la”"]);
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    assert.equal(await page.$eval("#results [aria-selected=true]", (option) => option.id), "result-1");
    assert.equal(await page.$eval("#query", (input) => input.getAttribute("aria-activedescendant")), "result-1");
    await page.keyboard.press("Escape");
    assert.equal(await page.$eval("#results", (list) => list.hidden), true);
    await page.type("#query", "m");
    await page.waitForSelector("#results:not([hidden])");
    await page.click("#results li");
    await page.waitForFunction((name) => document.querySelector("#product-title").textContent === name, {}, NAMES[0]);
    assert.equal(await page.evaluate(() => location.hash), "#/products/1");
});

test("a search without results or without a catalogue says so", async (t) => {
    const { gateway } = await world(t);
    const page = await visit(t, shared, gateway.url);
    await page.type("#query", "no such thing");
    await page.waitForFunction(() => document.querySelector("#search-message").textContent === "No product has this in its name.");
    gateway.switches.catalogueDown = true;
    await page.type("#query", "s");
    await page.waitForFunction(() => document.querySelector("#search-message").textContent.startsWith("The catalogue cannot be searched."));
});

for (const look of LOOKS) {
    test(`axe finds nothing in an open search and a told minute, ${look.scheme} at ${look.size.width} pixels`, async (t) => {
        const { page } = await visitProduct(t, "1", look);
        await page.focus("#plot");
        assert.deepEqual(await violations(page), []);
        await page.type("#query", "l");
        await page.waitForSelector("#results:not([hidden])");
        await page.keyboard.press("ArrowDown");
        assert.deepEqual(await violations(page), []);
        assert.equal(await overflow(page), 0);
    });
}
