// usage: screenshots.mjs URL FOLDER

import { join } from "node:path";

import { DESK, PHONE, launch, openPage } from "./browser.mjs";

const [url, folder] = process.argv.slice(2);
const VIEWS = [
    ["phone", PHONE, 2],
    ["desk", { ...DESK, height: 980 }, 1],
];
const browser = await launch();
for (const [name, size, scale] of VIEWS) {
    for (const scheme of ["light", "dark"]) {
        const page = await openPage(browser, { size, scheme, scale });
        await page.goto(url);
        await page.waitForSelector("#rows tr");
        await page.waitForFunction(() => document.body.dataset.state === "live");
        await page.screenshot({ path: join(folder, `page-${name}-${scheme}.png`), optimizeForSpeed: false });
        // The documentation shows the other view twice.
        if (["phone light", "desk dark"].includes(`${name} ${scheme}`)) continue;
        const id = process.env.PRODUCT ?? (await page.$eval("#rows tr", (row) => row.dataset.product));
        await page.goto(`${url}/#/products/${encodeURIComponent(id)}`);
        // The last two minutes may not be counted yet; of all others it is known what they had.
        await page.waitForFunction(() => document.querySelectorAll("#plot svg .unknown").length < 3);
        await page.waitForFunction(() => document.querySelector("#product-facts").textContent.includes("·"));
        await page.click("input[value='30']");
        await page.focus("#plot");
        for (let step = 0; step < 12; step += 1) await page.keyboard.press("ArrowLeft");
        await page.screenshot({ path: join(folder, `page-product-${name}-${scheme}.png`) });
        await page.browserContext().close();
    }
}
await browser.close();
