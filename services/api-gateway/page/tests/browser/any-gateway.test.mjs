// What holds at any gateway with views in the last half hour: at the one that `FOOTFALL_URL` names, else at a made-up one.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { MockGateway } from "../../dev/server.mjs";
import { Shop } from "../../dev/shop.mjs";
import { simulate } from "../../dev/simulate.mjs";
import { LOOKS, overflow, violations } from "./axe.mjs";
import { sharedBrowser, visit } from "./world.mjs";

const shared = sharedBrowser();
let url = process.env.FOOTFALL_URL;
const endings = [];
before(async () => {
    if (url) return;
    const shop = new Shop();
    endings.push(simulate(shop, { revisions: true }));
    const gateway = await new MockGateway(shop).start();
    endings.push(() => gateway.stop());
    url = gateway.url;
});
after(() => Promise.all(endings.map((end) => end())));

const firstProduct = (page) => page.$eval("#rows tr", (row) => row.dataset.product);
const digits = (text) => Number(text.replace(/\D/g, ""));
const hasRows = (page) => page.waitForSelector("#rows tr");

/** A product's view, with everything that it asks for. */
async function visitProduct(t, options) {
    const page = await visit(t, shared, url, options);
    await hasRows(page);
    const product = await firstProduct(page);
    await page.click("#rows tr a");
    await page.waitForSelector("#plot svg .final, #plot svg .open");
    return { page, product };
}

for (const look of LOOKS) {
    test(`axe finds nothing, and nothing sticks out, ${look.scheme} at ${look.size.width} pixels`, async (t) => {
        const page = await visit(t, shared, url, look);
        await hasRows(page);
        assert.deepEqual(await violations(page), []);
        assert.equal(await overflow(page), 0);
        const { page: product } = await visitProduct(t, look);
        await product.click("#minutes summary");
        await product.waitForSelector("#minute-rows tr");
        await product.click("footer summary");
        assert.deepEqual(await violations(product), []);
        assert.equal(await overflow(product), 0);
    });
}

test("the widest desk is as tidy as the narrowest phone", async (t) => {
    const page = await visit(t, shared, url, { size: { width: 1600, height: 1000 } });
    await hasRows(page);
    assert.equal(await overflow(page), 0);
});

test("the full minutes of a product are those of the API, one by one", async (t) => {
    const { page, product } = await visitProduct(t);
    await page.click("input[value='180']");
    await page.click("#minutes summary");
    await page.waitForFunction(() => document.querySelectorAll("#minute-rows tr").length === 180);
    const response = await fetch(`${url}/analytics/products/${encodeURIComponent(product)}/windows?limit=180`);
    const { items } = await response.json();
    const shown = await page.$$eval("#minute-rows tr", (rows) => {
        return rows.map((row) => [row.dataset.start, row.children[1].textContent, row.children[2].textContent]);
    });
    const byStart = new Map(shown.map(([start, people, state]) => [start, { people, state }]));
    const compared = items.filter((item) => item.final && byStart.has(item.window_start));
    assert.ok(compared.length > 0, "the gateway has no full minute of this product");
    for (const item of compared) {
        const { people, state } = byStart.get(item.window_start);
        assert.equal(digits(people), item.unique_user_count, item.window_start);
        assert.equal(/revision/.test(state), item.revision > 0, item.window_start);
    }
});

test("everything can be done by keyboard: search, open, read the chart minute by minute, go back", async (t) => {
    const page = await visit(t, shared, url);
    await hasRows(page);
    const product = await firstProduct(page);
    await page.keyboard.press("/");
    assert.equal(await page.evaluate(() => document.activeElement.id), "query");
    await page.keyboard.type(product);
    await page.waitForSelector("#results [role=option]");
    await page.keyboard.press("ArrowUp");
    const active = await page.$eval("#query", (input) => input.getAttribute("aria-activedescendant"));
    assert.equal(await page.$eval(`#${active}`, (option) => option.dataset.product), product);
    await page.keyboard.press("Enter");
    await page.waitForSelector("#plot svg .final, #plot svg .open");
    assert.equal(await page.evaluate(() => document.activeElement.id), "product-title");
    const stops = new Set();
    while (!stops.has("plot")) {
        await page.keyboard.press("Tab");
        const stop = await page.evaluate(() => document.activeElement.id || document.activeElement.name || document.activeElement.tagName);
        assert.ok(!stops.has(stop) || stop === "span", `the chart cannot be reached: ${[...stops]}`);
        stops.add(stop);
    }
    const spoken = () => page.$eval("#plot", (plot) => [plot.getAttribute("aria-valuenow"), plot.getAttribute("aria-valuetext")]);
    await page.keyboard.press("Home");
    const first = await spoken();
    await page.keyboard.press("ArrowRight");
    const second = await spoken();
    assert.deepEqual([first[0], second[0]], ["1", "2"]);
    assert.notEqual(first[1], second[1]);
    assert.equal(await page.$eval("#tip", (tip) => tip.hidden), false);
    await page.goBack();
    await page.waitForSelector("#top:not([hidden])");
    assert.equal(await page.evaluate(() => document.activeElement.id), "top-title");
});

test("the page asks its own origin alone", async (t) => {
    const page = await visit(t, shared, url);
    const foreign = [];
    page.on("request", (request) => {
        if (!request.url().startsWith(url) && !/^(data|blob):/.test(request.url())) foreign.push(request.url());
    });
    await page.reload();
    await hasRows(page);
    await page.click("#rows tr a");
    await page.waitForSelector("#plot svg .final, #plot svg .open");
    assert.deepEqual(foreign, []);
});
