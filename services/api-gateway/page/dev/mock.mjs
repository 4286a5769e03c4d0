// The page without the platform: `node dev/mock.mjs [--port 8090] [--empty] [--stale] [--outage] [--catalogue-down]
// [--revisions]`. While it runs, `curl "http://127.0.0.1:8090/mock?stale=on"` turns a switch: stale, outage, cut,
// catalogueDown, resets.

import { parseArgs } from "node:util";

import { MockGateway } from "./server.mjs";
import { Shop } from "./shop.mjs";
import { simulate } from "./simulate.mjs";

const flag = { type: "boolean", default: false };
const { values } = parseArgs({
    options: {
        port: { type: "string", default: "8090" },
        empty: flag,
        stale: flag,
        outage: flag,
        "catalogue-down": flag,
        revisions: flag,
    },
});

const shop = new Shop();
if (!values.empty) simulate(shop, { revisions: values.revisions });
if (values.stale) shop.stopJob({ secondsAgo: 75 });
const gateway = new MockGateway(shop, { port: Number(values.port) });
gateway.switches.outage = values.outage;
gateway.switches.catalogueDown = values["catalogue-down"];
await gateway.start();
console.log(`${gateway.url} shows a shop that is made up; Ctrl-C ends it`);
