// A shop as a whole: most people look around, their pages report it, few order. WEIGHTS says how many do what.
import browse from "./browse.js";
import sendViews, { setup as setUpViews } from "./events.js";
import { optionsOf } from "./lib.js";
import order, { setup as setUpOrders, teardown as tearDownOrders } from "./order.js";

const JOURNEYS = { browse, events: sendViews, order };
const weights = parse(__ENV.WEIGHTS || "browse=60,events=35,order=5");

export const options = optionsOf(__ENV.PROFILE);

export function setup() {
  return { views: setUpViews(), orders: setUpOrders() };
}

export default function mixed({ views, orders }) {
  const name = choose();
  JOURNEYS[name](name === "order" ? orders : views);
}

export function teardown({ orders }) {
  tearDownOrders(orders);
}

// `browse=60,order=5` as pairs of a journey and its share of all iterations.
function parse(text) {
  const pairs = text.split(",").map((pair) => pair.split("="));
  const wrong = pairs.find(([name, weight]) => JOURNEYS[name] === undefined || !(Number(weight) >= 0));
  if (wrong !== undefined) {
    const example = "browse=60,events=35,order=5";
    throw new Error(`WEIGHTS has "${wrong.join("=")}"; write journeys with weights, such as ${example}`);
  }
  return pairs.map(([name, weight]) => [name, Number(weight)]);
}

function choose() {
  const total = weights.reduce((sum, [, weight]) => sum + weight, 0);
  let left = Math.random() * total;
  for (const [name, weight] of weights) {
    left -= weight;
    if (left < 0) {
      return name;
    }
  }
  return weights[weights.length - 1][0];
}
