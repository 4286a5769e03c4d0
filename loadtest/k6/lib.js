// What all scripts share: where the platform is, how a request is sent, how the load grows. See README.md.
import http from "k6/http";
import { check, fail, sleep } from "k6";
import { Rate } from "k6/metrics";

const BASE_URL = (__ENV.BASE_URL || "http://127.0.0.1:8080").replace(/\/+$/, "");
// What a person takes between two requests.
const THINK_SECONDS = Number(__ENV.THINK_SECONDS || 1);
// How often a request that was refused for the moment is sent again.
const MAX_RETRIES = 3;
// What setup makes where the shop is empty.
const PRODUCTS = 20;
const STOCK = 1000000;

// Requests that failed for good: refused ones that were taken at a later try are not among them.
const givenUp = new Rate("requests_given_up");

// Passwords are hashed slowly on purpose, so that requests with one are judged apart.
const THRESHOLDS = {
  checks: ["rate==1"],
  requests_given_up: ["rate==0"],
  http_req_failed: ["rate<0.001"],
};

export const PROFILES = {
  // The second document: 25 users after four and a half minutes.
  "documents-2": {
    stages: [{ duration: "4m30s", target: 25 }],
    thresholds: {
      ...THRESHOLDS,
      "http_req_duration{password:no}": ["p(95)<10"],
      "http_req_duration{password:yes}": ["p(95)<500"],
    },
  },
  // The first document: long enough at each level that an autoscaler decides. One address may meet the gateway's rate
  // limit here, which answers 429.
  "documents-1": {
    stages: [
      { duration: "30s", target: 50 },
      { duration: "2m", target: 50 },
      { duration: "30s", target: 100 },
      { duration: "2m", target: 100 },
      { duration: "30s", target: 200 },
      { duration: "2m", target: 200 },
      { duration: "30s", target: 0 },
    ],
    thresholds: { ...THRESHOLDS, http_req_failed: ["rate<0.05"] },
  },
};

// The options of a script for a profile; without a name, those of the second document.
export function optionsOf(name) {
  const profile = PROFILES[name || "documents-2"];
  if (profile === undefined) {
    throw new Error(`PROFILE is "${name}"; use ${Object.keys(PROFILES).join(" or ")}`);
  }
  return profile;
}

// Sends a request, and again after Retry-After where the answer is 429 or 503. Reads, events, logins and what has an
// idempotency key bear that, and so does a change of status: the status that an order has changes nothing.
//
// `name` is the path's template, by which k6 counts. `body` is sent as JSON. `key` is the idempotency key. `password` says
// that the request makes the service hash one.
export function send(method, path, { name, body, bearer, headers, key, password }) {
  const params = {
    headers: {
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      ...(bearer === undefined ? {} : { Authorization: `Bearer ${bearer}` }),
      ...(key === undefined ? {} : { "Idempotency-Key": key }),
      ...headers,
    },
    tags: { name: `${method} ${name || path}`, password: password ? "yes" : "no" },
  };
  const text = body === undefined ? null : JSON.stringify(body);
  for (let retry = 0; ; retry += 1) {
    const response = http.request(method, `${BASE_URL}${path}`, text, params);
    const isRefused = response.status === 429 || response.status === 503;
    if (!isRefused || retry === MAX_RETRIES) {
      givenUp.add(response.status < 200 || response.status > 299);
      return response;
    }
    sleep(Number(response.headers["Retry-After"] || 1));
  }
}

// Checks the status of an answer and, where it is right, what its JSON says. Returns the JSON, or null.
export function expect(response, what, status, says = () => true) {
  const isRight = check(response, { [`${what}: ${status}`]: (answer) => answer.status === status });
  if (!isRight) {
    return null;
  }
  const json = response.json();
  return check(json, { [`${what}: as asked for`]: says }) ? json : null;
}

// The pause between two requests of a person, half as long to half as long again.
export function think() {
  sleep(THINK_SECONDS * (0.5 + Math.random()));
}

// A text that nobody else has made: for idempotency keys and names.
export function unique() {
  const part = () => Math.random().toString(36).slice(2).padEnd(11, "0");
  return `${Date.now().toString(36)}-${part()}${part()}`;
}

export function oneOf(list) {
  return list[Math.floor(Math.random() * list.length)];
}

// Products to look at: those that are there, or some new ones where there are none.
export function productsToBrowse() {
  const found = setUp(send("GET", `/products?limit=${PRODUCTS}`, { name: "/products" }), 200).items;
  return found.length > 0 ? found.map((product) => product.id) : newProducts(PRODUCTS);
}

// Products to order, with stock for the whole test. They are the test's own: it changes nothing of the shop's.
export function newProducts(count) {
  const token = __ENV.ADMIN_TOKEN;
  if (!token) {
    fail("ADMIN_TOKEN is not set; set it to a token that may make products");
  }
  return Array.from({ length: count }, (_, number) => {
    const body = { name: `Load test ${number + 1}`, price: "19.99", category: "load-test", stock_quantity: STOCK };
    return setUp(send("POST", "/products", { body, bearer: token, key: unique() }), 201).id;
  });
}

// Deletes products that `newProducts` has made.
export function deleteProducts(ids) {
  for (const id of ids) {
    const response = send("DELETE", `/products/${id}`, { name: "/products/{id}", bearer: __ENV.ADMIN_TOKEN });
    check(response, { "delete a product: 204": (answer) => answer.status === 204 });
  }
}

// The JSON of an answer that the test cannot go on without.
function setUp(response, status) {
  if (response.status !== status) {
    const said = response.error || response.body;
    fail(`${response.request.method} ${response.url} answered ${response.status}, not ${status}: ${said}`);
  }
  return response.json();
}
