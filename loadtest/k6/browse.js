// Somebody looks around: the list, a product, how many people look at it.
import { expect, oneOf, optionsOf, productsToBrowse, send, think } from "./lib.js";

export const options = optionsOf(__ENV.PROFILE);

export function setup() {
  return { products: productsToBrowse() };
}

export default function browse({ products }) {
  const list = send("GET", "/products?limit=20", { name: "/products" });
  expect(list, "list products", 200, (page) => page.items.length > 0);
  think();

  const id = oneOf(products);
  const product = send("GET", `/products/${id}`, { name: "/products/{id}" });
  expect(product, "read a product", 200, (found) => found.id === id);
  think();

  const path = (product) => `/analytics/products/${product}/windows`;
  const windows = send("GET", `${path(id)}?limit=10`, { name: path("{id}") });
  expect(windows, "read windows", 200, ({ items }) => items.every((row) => row.product_id === id));
  think();
}
