// What tests of one state need: a shop at three and a half minutes past two in Berlin, a gateway, and pages of one browser.

import { after, before } from "node:test";

import { MockGateway } from "../../dev/server.mjs";
import { Shop, minuteAfter } from "../../dev/shop.mjs";
import { launch, openPage } from "./browser.mjs";

export { minuteAfter };

/** The shop's running minute. */
export const RUNNING = "2026-01-15T13:03:00Z";
/** Names that a page must show as they are, the first one first. */
export const NAMES = ["Desk lamp", "Wool <b>blanket</b>", "Espresso cup", "Oak shelf"];

const NOW = Date.parse("2026-01-15T13:03:30Z");

/** A browser for all tests of a file. */
export function sharedBrowser() {
    const shared = {};
    before(async () => (shared.browser = await launch()));
    after(() => shared.browser.close());
    return shared;
}

/** A shop without rows whose clock runs from `RUNNING`'s half on, and a gateway before it. */
export async function emptyWorld(test) {
    const began = performance.now();
    const shop = new Shop({ now: () => NOW + performance.now() - began });
    const gateway = await new MockGateway(shop).start();
    test.after(() => gateway.stop());
    NAMES.forEach((name, index) => shop.addProduct(String(index + 1), name, "Home", "19.90"));
    return { shop, gateway };
}

/** The same with views: the running minute ranks 2, 1, sku-9, 3, the one before it 1, 2, 3, 4. */
export async function world(test) {
    const { shop, gateway } = await emptyWorld(test);
    const before = minuteAfter(RUNNING, -1);
    [1_400, 900, 80, 7].forEach((count, index) => shop.write(String(index + 1), before, count, { final: true }));
    shop.write("1", minuteAfter(RUNNING, -3), 1_217, { final: true, revision: 2 });
    [["1", 700], ["2", 1_234], ["sku-9", 12], ["3", 9]].forEach(([product, count]) => shop.write(product, RUNNING, count));
    return { shop, gateway };
}

/** A page that is on `url`, closed at the end of the test, which fails where the page complained. */
export async function visit(test, { browser }, url, options) {
    const page = await openPage(browser, options);
    test.after(async () => {
        await page.browserContext().close();
        if (page.complaints.length > 0) throw new Error(page.complaints.join("\n"));
    });
    await page.goto(url);
    return page;
}

/** Waits until the page is in a state. */
export function reach(page, state) {
    return page.waitForFunction((wanted) => document.body.dataset.state === wanted, { timeout: 30_000 }, state);
}

/** The text of an element. */
export function textOf(page, selector) {
    return page.$eval(selector, (element) => element.textContent);
}

/** The table as it stands: [rank, change, name, people] of each row. */
export function table(page) {
    const read = (rows) => {
        return rows.map((row) => {
            const change = row.querySelector(".change .spoken")?.textContent ?? "";
            return [row.querySelector(".rank"), row.querySelector(".product"), row.querySelector(".count")]
                .map((cell) => cell.textContent)
                .toSpliced(1, 0, change);
        });
    };
    return page.$$eval("#rows tr", read);
}

/** Waits until the table is this one. */
export async function showsTable(page, expected) {
    const matches = (wanted) => {
        const rows = [...document.querySelectorAll("#rows tr")].map((row) => {
            const text = (selector) => row.querySelector(selector)?.textContent ?? "";
            return [text(".rank"), text(".change .spoken"), text(".product"), text(".count")];
        });
        return JSON.stringify(rows) === wanted;
    };
    try {
        await page.waitForFunction(matches, { timeout: 30_000 }, JSON.stringify(expected));
    } catch (error) {
        throw new Error(`the table is ${JSON.stringify(await table(page))}, not ${JSON.stringify(expected)}`, { cause: error });
    }
}
