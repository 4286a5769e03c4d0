// A gateway that is good enough for the page: the page itself under its policy, the parts of the API that it reads, and
// switches for what may go wrong.

import { createReadStream, existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

import * as answers from "./answers.mjs";

const PAGE = new URL("../", import.meta.url);
const POLICY = readFileSync(new URL("content-security-policy", PAGE), "utf8").trim();
const TYPES = { ".html": "text/html", ".css": "text/css", ".mjs": "text/javascript", ".svg": "image/svg+xml" };
const FRESHNESS_EVERY_MS = 1_000;

/**
 * Serves a shop.
 *
 * `switches` may be changed at any time: `outage` (no analytics), `cut` (streams are refused), `catalogueDown`, `retryMs` (what
 * streams tell clients to wait), `resets` (streams cannot be resumed).
 */
export class MockGateway {
    switches = { outage: false, cut: false, catalogueDown: false, retryMs: 2_000, resets: false };
    /** What was asked for, without the page's own files. */
    requests = [];
    #shop;
    #server = null;
    #streams = new Set();
    #port;

    constructor(shop, { port = 0 } = {}) {
        this.#shop = shop;
        this.#port = port;
    }

    get url() {
        return `http://127.0.0.1:${this.#port}`;
    }

    /** Listens; after a `stop` on the same port as before. */
    async start() {
        this.#server = createServer((request, response) => this.#answer(request, response));
        await new Promise((resolve, reject) => {
            this.#server.once("error", reject).listen(this.#port, "127.0.0.1", resolve);
        });
        this.#port = this.#server.address().port;
        return this;
    }

    /** Ends, with everything that is open. */
    async stop() {
        const ended = new Promise((resolve) => this.#server.close(resolve));
        this.#server.closeAllConnections();
        await ended;
    }

    /** Ends the streams; browsers resume them. */
    cutStreams() {
        for (const response of this.#streams) response.end();
    }

    #answer(request, response) {
        const url = new URL(request.url, this.url);
        response.setHeader("x-content-type-options", "nosniff");
        if (url.pathname === "/" || url.pathname.startsWith("/assets/")) {
            this.#file(url.pathname === "/" ? "index.html" : url.pathname.slice(1), response);
            return;
        }
        this.requests.push(url.pathname + url.search);
        if (url.pathname === "/mock") this.#switch(url.searchParams, response);
        else if (url.pathname === "/analytics/stream" && !this.switches.outage) this.#stream(request, response);
        else this.#json(request, url, response);
    }

    #file(name, response) {
        const file = fileURLToPath(new URL(name, PAGE));
        const type = TYPES[extname(file)];
        if (!type || !existsSync(file)) {
            send404(response, name);
            return;
        }
        response.setHeader("content-type", `${type}; charset=utf-8`);
        response.setHeader("content-security-policy", POLICY);
        response.setHeader("cache-control", "no-cache");
        createReadStream(file).pipe(response);
    }

    #json(request, url, response) {
        const wantsCsv = request.headers.accept === "text/csv";
        const { status, type, body } = answers.answer(this.#shop, this.switches, url, wantsCsv);
        response.writeHead(status, { "content-type": type }).end(body);
    }

    /** `/mock?stale=on&catalogueDown=off`: switches, from the command line of a developer. */
    #switch(parameters, response) {
        for (const [name, value] of parameters) {
            if (name === "stale") value === "on" ? this.#shop.stopJob() : this.#shop.startJob();
            else if (name in this.switches) this.switches[name] = value === "on";
        }
        if (this.switches.cut || this.switches.outage) this.cutStreams();
        response.end(`${JSON.stringify(this.switches)}\n`);
    }

    #stream(request, response) {
        if (this.switches.cut) {
            const { status, type, body } = answers.unavailable("Kafka");
            response.writeHead(status, { "content-type": type }).end(body);
            return;
        }
        response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
        response.write(`retry: ${this.switches.retryMs}\n\n`);
        const { log } = this.#shop;
        const last = request.headers["last-event-id"];
        const isKnown = /^\d+$/.test(last ?? "") && !this.switches.resets && Number(last) >= (log[0]?.id ?? 0);
        if (last !== undefined && !isKnown) response.write("event: reset\ndata: {}\n\n");
        const { open } = this.#shop.minutes();
        const missed = isKnown ? (entry) => entry.id > Number(last) : (entry) => entry.row.window_start === open;
        for (const { id, row } of log.filter(missed)) send(response, "window", row, id);
        send(response, "watermark", this.#shop.freshness());
        const stopListening = this.#shop.listen(({ id, row }) => send(response, "window", row, id));
        const timer = setInterval(() => send(response, "watermark", this.#shop.freshness()), FRESHNESS_EVERY_MS);
        this.#streams.add(response);
        response.on("close", () => {
            stopListening();
            clearInterval(timer);
            this.#streams.delete(response);
        });
    }
}

function send(response, event, data, id) {
    // Cut, and not closed yet.
    if (response.writableEnded) return;
    response.write(`event: ${event}\n${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`);
}

function send404(response, name) {
    const { status, type, body } = answers.problem(404, "There is no such thing", name);
    response.writeHead(status, { "content-type": type }).end(body);
}
