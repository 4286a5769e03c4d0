// The answers of the mock gateway that are not streams: {status, type, body}.

const json = (value) => ({ status: 200, type: "application/json", body: JSON.stringify(value) });

export function problem(status, title, detail) {
    return { status, type: "application/problem+json", body: JSON.stringify({ status, title, detail }) };
}

export function unavailable(part) {
    return problem(503, "Something needed does not answer", `${part} does not answer; try again later`);
}

/** What a shop answers to a GET of `url`. */
export function answer(shop, switches, url, wantsCsv) {
    const [, resource, ...rest] = url.pathname.split("/").map(decodeURIComponent);
    const { searchParams: query } = url;
    if (resource === "docs") return { status: 200, type: "text/html; charset=utf-8", body: "<!doctype html><title>API</title>" };
    if (resource === "products" && switches.catalogueDown) return unavailable("product-catalog");
    if (resource === "products") return rest.length === 0 ? products(shop, query) : product(shop, rest[0]);
    if (resource === "analytics" && switches.outage) return unavailable("DynamoDB");
    if (url.pathname === "/analytics/top") return top(shop, switches, query);
    if (resource === "analytics" && rest[0] === "products" && rest[2] === "windows") return windows(shop, rest[1], query, wantsCsv);
    return problem(404, "There is no such thing", url.pathname);
}

function products(shop, query) {
    const limit = Number(query.get("limit") ?? 50);
    const [text, ids] = [query.get("q")?.toLowerCase(), query.get("ids")?.split(",")];
    const found = [...shop.products.values()].filter((item) => {
        return (!text || item.name.toLowerCase().includes(text)) && (!ids || ids.includes(item.id));
    });
    return json({ items: found.slice(0, limit), next_cursor: found.length > limit ? "more" : null });
}

function product(shop, id) {
    const found = shop.products.get(id);
    return found ? json(found) : problem(404, "There is no such thing", `there is no product ${id}`);
}

function top(shop, switches, query) {
    const [limit, history] = [Number(query.get("limit") ?? 10), Number(query.get("history") ?? 0)];
    const { closed, open } = shop.minutes();
    const ranked = (start) => {
        if (start === null) return null;
        const items = shop.rowsAt(start).slice(0, limit).map((row, index) => item(shop, switches, row, index, history));
        return { window_start: start, window_end: shop.rowsAt(start)[0].window_end, items };
    };
    const missing = switches.catalogueDown ? [{ part: "product_name", reason: "dependency-unavailable" }] : [];
    return json({ closed: ranked(closed), open: ranked(open), freshness: shop.freshness(), unavailable: missing });
}

function item(shop, switches, row, index, history) {
    const { product_id, unique_user_count, revision } = row;
    const product_name = switches.catalogueDown ? null : (shop.products.get(product_id)?.name ?? null);
    const past = shop.rowsOf(product_id).slice(0, history).map(({ window_start, unique_user_count: count, final, revision: r }) => {
        return { window_start, unique_user_count: count, final, revision: r };
    });
    return { rank: index + 1, product_id, product_name, unique_user_count, revision, final: row.final, ...(history > 0 ? { history: past } : {}) };
}

function windows(shop, id, query, wantsCsv) {
    const [from, to] = [query.get("from") ?? "", query.get("to") ?? "~"];
    const rows = shop.rowsOf(id).filter((row) => row.window_start >= from && row.window_start < to);
    const items = rows.slice(0, Number(query.get("limit") ?? 50));
    if (!wantsCsv) return json({ items, next_cursor: null, freshness: shop.freshness() });
    const columns = ["product_id", "window_start", "window_end", "unique_user_count", "revision", "final"];
    const lines = [columns, ...items.map((row) => columns.map((column) => row[column]))];
    return { status: 200, type: "text/csv; charset=utf-8", body: lines.map((line) => `${line.join(",")}\r\n`).join("") };
}
