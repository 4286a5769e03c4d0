// The live page, put together: one stream, one state, two views.

import { get } from "./api.mjs";
import { COMPARED_RANKS, Counts } from "./counts.mjs";
import { byId, setText } from "./dom.mjs";
import { Feed } from "./feed.mjs";
import { formats } from "./format.mjs";
import { Freshness, stateOf } from "./freshness.mjs";
import { Loader } from "./loader.mjs";
import { Names } from "./names.mjs";
import { ProductView } from "./product.mjs";
import { Search } from "./search.mjs";
import { StatusView } from "./status.mjs";
import { SHOWN_PRODUCTS, SPARK_MINUTES, TopView } from "./top.mjs";
import { notices } from "./words.mjs";

/** More often nobody can read. */
const RENDER_EVERY_MS = 400;
const WANTED = { shown: SHOWN_PRODUCTS, compared: COMPARED_RANKS, minutes: SPARK_MINUTES };

const format = formats();
const counts = new Counts();
const freshness = new Freshness();
const names = new Names(askNames, scheduleRender);
const status = new StatusView();
const topView = new TopView(format);
const productView = new ProductView({ format, freshness, changed: scheduleRender });
const loader = new Loader({
    get,
    counts,
    freshness,
    names,
    changed: scheduleRender,
    now: () => performance.now(),
    after: (millis, run) => setTimeout(run, millis),
    cancel: (timer) => clearTimeout(timer),
});
const feed = new Feed("/analytics/stream", {
    row(row) {
        counts.apply(row);
        productView.row(row);
        scheduleRender();
    },
    freshness(said) {
        freshness.receive(said);
        scheduleRender();
    },
    reset() {
        counts.reset();
        productView.forgetPast();
        loadAgain();
    },
    renewed() {
        counts.forgetPasts();
        productView.forgetPast();
        loadAgain();
    },
    changed: scheduleRender,
});

async function askNames(ids) {
    const page = await get(`/products?ids=${ids.join(",")}&limit=${ids.length}`);
    return page.items;
}

function loadAgain() {
    loader.load(WANTED);
    productView.reload();
}

let nextRender = null;
let renderedAt = -Infinity;

/** Renders soon, and not more often than can be read. A page that nobody sees is not drawn. */
function scheduleRender() {
    if (nextRender !== null || document.hidden) return;
    const wait = Math.max(0, renderedAt + RENDER_EVERY_MS - performance.now());
    nextRender = setTimeout(() => requestAnimationFrame(render), wait);
}

function render() {
    nextRender = null;
    renderedAt = performance.now();
    const shown = counts.shown();
    const { lostAt } = feed.connection;
    const lostFor = lostAt === null ? null : renderedAt - lostAt;
    const state = stateOf({ freshness, lostFor, problem: loader.problem, shown });
    const said = { freshness, connection: feed.connection, monotonicNow: renderedAt, problem: loader.problem, format };
    status.render(state, said, notices({ names: names.problem, past: freshness.isKnown ? loader.problem : null }));
    const { id } = productView;
    if (id !== null) {
        productView.render(names.of(id));
        names.want([id]);
        return;
    }
    const items = counts.top(SHOWN_PRODUCTS);
    const products = items.map((item) => item.product_id);
    const [compared, now] = [counts.compared(), freshness.now];
    const past = (product) => {
        return { history: counts.history(product, SPARK_MINUTES), isPastKnown: counts.withoutPast([product]).length === 0 };
    };
    const isEmpty = shown === null && freshness.isKnown;
    topView.render({ items, shown, compared, past, name: (product) => names.of(product), now, isEmpty });
    names.want(products);
    loader.wantPasts(products);
}

/** Shows what the address says: `#/products/ID`, else the top products. */
function route() {
    const id = productOf(location.hash);
    const isAnother = id !== productView.id;
    byId("top").hidden = id !== null;
    byId("product").hidden = id === null;
    if (isAnother) {
        productView.open(id, id === null ? [] : counts.rowsOf(id));
        scrollTo(0, 0);
    }
    if (id === null) document.title = "Top products - Footfall";
    render();
    if (isAnother) byId(id === null ? "top-title" : "product-title").focus({ preventScroll: true });
}

function productOf(hash) {
    const id = /^#\/products\/(.+)$/.exec(hash)?.[1];
    if (id === undefined) return null;
    try {
        return decodeURIComponent(id);
    } catch {
        // A stray percent sign: then it stands for itself.
        return id;
    }
}

function describeSurroundings() {
    const zone = format.zone(Date.now());
    setText(byId("zone"), `Times in ${zone.name} (${zone.short})`);
    const event = { user_id: "ann", product_id: "1", event_type: "VIEW_PRODUCT", timestamp: new Date().toISOString() };
    const command = `curl ${location.origin}/events -H 'X-Write-Key: KEY' -H 'Content-Type: application/json' -d '${JSON.stringify(event)}'`;
    setText(byId("hint"), command);
}

new Search({ ask: get, open: (id) => (location.hash = `#/products/${encodeURIComponent(id)}`), format });
// The link leads within the page; the address says which view is shown.
byId("skip").addEventListener("click", (event) => {
    event.preventDefault();
    byId("main").focus();
});
addEventListener("hashchange", route);
document.addEventListener("visibilitychange", scheduleRender);
setInterval(() => {
    feed.check();
    scheduleRender();
}, 1_000);
describeSurroundings();
feed.start();
loader.load(WANTED);
route();
