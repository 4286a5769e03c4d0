import assert from "node:assert/strict";
import { once } from "node:events";
import { register } from "node:module";
import { after, test } from "node:test";
import { Worker } from "node:worker_threads";

register("../resolve.mjs", import.meta.url);
// In a thread of its own, as requests block this one.
const server = new Worker(new URL("./refusing.mjs", import.meta.url));
const [port] = await once(server, "message");
globalThis.__ENV = { BASE_URL: `http://127.0.0.1:${port}/`, THINK_SECONDS: "0" };
const { PROFILES, expect, optionsOf, send, unique } = await import("../../lib.js");
const { outcomes } = await import("../k6.mjs");

after(() => server.terminate());

test("a request that is refused for the moment is sent again after Retry-After, with the same key", () => {
  for (const status of [429, 503]) {
    const began = Date.now();
    const response = send("POST", `/${status}/2`, { body: {}, key: "same" });
    assert.equal(response.status, 200);
    assert.deepEqual(response.json(), { count: 3, key: "same" });
    assert.ok(Date.now() - began >= 100, "it waited twice");
  }
});

test("a request that is refused again and again is given up", () => {
  const response = send("GET", "/429/9", {});
  assert.equal(response.status, 429);
  assert.equal(response.json().count, 4);
});

test("another refusal is not asked again", () => {
  const response = send("GET", "/404/1", {});
  assert.equal(response.status, 404);
  assert.equal(response.json().count, 1);
});

test("names of headers are spelt as k6 spells them", () => {
  assert.equal(send("GET", "/200/0", {}).headers["Retry-After"], "0.05");
});

test("an answer that is not as asked for fails a check and is no result", () => {
  const right = send("GET", "/200/0", {});
  assert.deepEqual(expect(right, "right", 200, ({ count }) => count > 0), right.json());
  assert.equal(expect(right, "says", 200, ({ count }) => count < 0), null);
  assert.equal(expect(right, "status", 201), null);
  assert.deepEqual(outcomes.get("right: as asked for"), { held: 1, failed: 0 });
  assert.deepEqual(outcomes.get("says: as asked for"), { held: 0, failed: 1 });
  assert.deepEqual(outcomes.get("status: 201"), { held: 0, failed: 1 });
});

test("keys are not made twice and are what the API takes", () => {
  const keys = Array.from({ length: 1000 }, unique);
  assert.equal(new Set(keys).size, keys.length);
  assert.ok(keys.every((key) => /^[!-~]{1,255}$/.test(key)));
});

test("a profile is chosen by its name, and another name is refused with those that exist", () => {
  assert.equal(optionsOf(undefined), PROFILES["documents-2"]);
  assert.equal(optionsOf("documents-1"), PROFILES["documents-1"]);
  assert.throws(() => optionsOf("documents-3"), /documents-3.*documents-2 or documents-1/);
});
