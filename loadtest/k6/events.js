// Pages report what their visitors look at, several views at once.
import { fail } from "k6";
import { expect, oneOf, optionsOf, productsToBrowse, send, think, unique } from "./lib.js";

// Views in a request.
const BATCH = Number(__ENV.BATCH || 20);
const USERS = 100000;

export const options = optionsOf(__ENV.PROFILE);

export function setup() {
  if (!__ENV.WRITE_KEY) {
    fail("WRITE_KEY is not set; set it to one of the gateway's EVENTS_WRITE_KEYS");
  }
  return { products: productsToBrowse() };
}

export default function sendViews({ products }) {
  const session = unique();
  const body = Array.from({ length: BATCH }, () => view(oneOf(products), session));
  const receipt = send("POST", "/events", { body, headers: { "X-Write-Key": __ENV.WRITE_KEY } });
  expect(receipt, "send views", 202, ({ accepted, rejected }) => accepted === BATCH && rejected.length === 0);
  think();
}

function view(productId, session) {
  return {
    user_id: `u${Math.floor(Math.random() * USERS)}`,
    product_id: productId,
    event_type: "VIEW_PRODUCT",
    timestamp: new Date().toISOString(),
    metadata: { session_id: session },
  };
}
