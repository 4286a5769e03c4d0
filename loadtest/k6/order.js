// Somebody new registers, logs in, looks at a product, orders it, asks for the order and cancels it.
import { deleteProducts, expect, newProducts, oneOf, optionsOf, send, think, unique } from "./lib.js";

// Several, so that not all buyers want the same row of the database.
const PRODUCTS = 20;
const ORDER = "/orders/{id}";

export const options = optionsOf(__ENV.PROFILE);

export function setup() {
  return { products: newProducts(PRODUCTS) };
}

export default function order({ products }) {
  const session = logIn();
  if (session === null) {
    return;
  }
  const id = oneOf(products);
  const product = send("GET", `/products/${id}`, { name: "/products/{id}" });
  expect(product, "read a product", 200, (found) => found.id === id);
  think();

  const ordered = placeOrder(session, id);
  if (ordered === null) {
    return;
  }
  followAndCancel(session, ordered.id);
}

export function teardown({ products }) {
  deleteProducts(products);
}

// The session of a new customer, or null.
function logIn() {
  const login = { email: `load-${unique()}@example.com`, password: `${unique()}-${unique()}` };
  const body = { name: "Load Test", phone: "+49 30 1234567", address: "1 Test Street, Berlin", ...login };
  const registered = send("POST", "/customers", { body, key: unique(), password: true });
  const customer = expect(registered, "register", 201, (made) => made.email === login.email);
  if (customer === null) {
    return null;
  }
  think();

  const loggedIn = send("POST", "/sessions", { body: login, password: true });
  const session = expect(loggedIn, "log in", 201, ({ customer_id }) => customer_id === customer.id);
  think();
  return session;
}

// A confirmed order of one piece, or null.
function placeOrder(session, productId) {
  const body = { customer_id: session.customer_id, product_id: productId, quantity: 1 };
  const response = send("POST", "/orders", { body, bearer: session.token, key: unique() });
  const isRight = ({ status, product_id }) => status === "CONFIRMED" && product_id === productId;
  const ordered = expect(response, "order", 201, isRight);
  think();
  return ordered;
}

function followAndCancel(session, id) {
  const found = send("GET", `/orders/${id}`, { name: ORDER, bearer: session.token });
  expect(found, "read an order", 200, ({ status }) => status === "CONFIRMED");
  think();

  const body = { status: "CANCELLED" };
  const cancelled = send("PATCH", `/orders/${id}`, { name: ORDER, body, bearer: session.token });
  expect(cancelled, "cancel an order", 200, ({ status }) => status === "CANCELLED");
  think();
}
