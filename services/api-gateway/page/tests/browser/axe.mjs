// What axe finds wrong with a page, by the rules of WCAG 2.2 AA and axe's own good practices.

import axe from "axe-core";

import { DESK, PHONE } from "./browser.mjs";

/** The ways in which a page is looked at. */
export const LOOKS = [
    { size: PHONE, scheme: "light" },
    { size: PHONE, scheme: "dark" },
    { size: DESK, scheme: "light" },
    { size: DESK, scheme: "dark" },
];

/** Violations, one line for each element. */
export async function violations(page) {
    // By the browser's debugger: the page's own policy lets no foreign script in.
    await page.evaluate(axe.source);
    const { violations: found } = await page.evaluate(() => globalThis.axe.run());
    return found.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`));
}

/** How many pixels stick out on the right. */
export function overflow(page) {
    return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}
