// A browser for tests and screenshots: Debian's Chromium, told what it is to be like.

import puppeteer from "puppeteer-core";

/** Chromium; `CHROMIUM` names another program than Debian's. */
export function launch() {
    return puppeteer.launch({
        executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
        // Containers run tests as root and give /dev/shm little room.
        args: ["--no-sandbox", "--disable-dev-shm-usage", "--lang=en-GB", "--force-color-profile=srgb"],
        env: { ...process.env, LANGUAGE: "en_GB" },
    });
}

export const PHONE = { width: 360, height: 780 };
export const DESK = { width: 1280, height: 860 };

/**
 * A page of a context of its own, whose console errors and failed scripts are collected in `page.complaints`. `motion` is what
 * the reader prefers: "reduce" or "no-preference".
 */
export async function openPage(browser, { size = DESK, scheme = "light", motion = "reduce", scale = 1, zone = "Europe/Berlin" } = {}) {
    const context = await browser.createBrowserContext();
    const page = await context.newPage();
    await page.setViewport({ ...size, deviceScaleFactor: scale });
    await page.emulateTimezone(zone);
    await page.emulateMediaFeatures([
        { name: "prefers-color-scheme", value: scheme },
        { name: "prefers-reduced-motion", value: motion },
    ]);
    page.complaints = [];
    page.on("pageerror", (error) => page.complaints.push(String(error)));
    page.on("console", (message) => {
        // Answers that are no success are the page's business, and part of tests.
        const isAnswer = message.text().startsWith("Failed to load resource");
        if (message.type() === "error" && !isAnswer) page.complaints.push(message.text());
    });
    return page;
}
