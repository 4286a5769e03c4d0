// The module `k6`: https://grafana.com/docs/k6/latest/javascript-api/k6/
const NEVER = new Int32Array(new SharedArrayBuffer(4));

// How often each check has held and failed, by its name.
export const outcomes = new Map();

export function check(value, sets) {
  const held = Object.entries(sets).map(([name, holds]) => count(name, Boolean(holds(value))));
  return held.every(Boolean);
}

function count(name, holds) {
  const outcome = outcomes.get(name) ?? { held: 0, failed: 0 };
  outcome[holds ? "held" : "failed"] += 1;
  outcomes.set(name, outcome);
  return holds;
}

// Like k6's, it blocks the caller.
export function sleep(seconds) {
  Atomics.wait(NEVER, 0, 0, seconds * 1000);
}

export function fail(text) {
  throw new Error(text);
}

export function group(_name, body) {
  return body();
}
