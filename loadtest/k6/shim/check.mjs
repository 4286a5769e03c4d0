// Runs scripts of k6 a few times each, and says which of their checks hold. See ../README.md.
import { register } from "node:module";
import { basename } from "node:path";
import { pathToFileURL } from "node:url";

register("./resolve.mjs", import.meta.url);
const { outcomes } = await import("./k6.mjs");
const { answers } = await import("./http.mjs");
const { declared } = await import("./metrics.mjs");

// Of those that k6 keeps by itself, what the scripts have thresholds on.
const BUILT_IN = ["checks", "http_req_duration", "http_req_failed"];
const THRESHOLD = /^(rate|count|value|avg|min|med|max|p\(\d+(\.\d+)?\))(<|<=|>|>=|==|!=)\d+(\.\d+)?$/;
const DURATION = /^(\d+(ms|s|m|h))+$/;

const [iterations, ...scripts] = process.argv.slice(2);
globalThis.__ENV = { ...process.env, THINK_SECONDS: "0" };
const faults = [];
for (const script of scripts) {
  faults.push(...(await run(script)).map((fault) => `${basename(script)}: ${fault}`));
}
for (const fault of faults) {
  console.error(`check: ${fault}`);
}
// The worker that sends requests would keep the process alive.
process.exit(faults.length > 0 ? 1 : 0);

async function run(script) {
  outcomes.clear();
  answers.length = 0;
  const { default: iterate, options, setup, teardown } = await import(pathToFileURL(script).href);
  const { PROFILES } = await import(new URL("../lib.js", import.meta.url).href);
  // Not a fault of the script that ends it: the others are still to be run.
  const thrown = [];
  try {
    // k6 hands the data on as JSON.
    const data = JSON.parse(JSON.stringify(setup?.() ?? null));
    for (globalThis.__ITER = 0, globalThis.__VU = 1; __ITER < Number(iterations); __ITER += 1) {
      iterate(data);
    }
    teardown?.(data);
  } catch (error) {
    thrown.push(error.message);
  }
  const held = [...outcomes].filter(([, { failed }]) => failed === 0).length;
  const counts = `${iterations} iterations, ${answers.length} requests, ${held} of ${outcomes.size} checks held`;
  console.log(`${basename(script)}: ${counts}`);
  // The profiles share most of what they say.
  const unusable = new Set([options, ...Object.values(PROFILES)].flatMap(faultsOf));
  return [...thrown, ...unusable, ...failedChecks()];
}

// What k6 would refuse.
function faultsOf({ stages, thresholds }) {
  const badStages = stages.filter(({ duration, target }) => !DURATION.test(duration) || !Number.isInteger(target));
  const named = Object.keys(thresholds).filter((metric) => !isKnown(metric.replace(/\{[a-z_]+:[^}]+\}$/, "")));
  const said = Object.values(thresholds).flat().filter((threshold) => !THRESHOLD.test(threshold));
  return [
    ...badStages.map((stage) => `no stage: ${JSON.stringify(stage)}`),
    ...named.map((metric) => `a threshold on ${metric}, which nothing measures`),
    ...said.map((threshold) => `no threshold: ${threshold}`),
  ];
}

function isKnown(metric) {
  return BUILT_IN.includes(metric) || declared.has(metric);
}

function failedChecks() {
  if (outcomes.size === 0) {
    return ["it checks nothing"];
  }
  const failed = [...outcomes].filter(([, outcome]) => outcome.failed > 0);
  const said = failed.map(([name, { failed, held }]) => `"${name}" failed ${failed} times and held ${held} times`);
  const unwanted = answers.find(({ status }) => status < 200 || status > 299);
  return unwanted === undefined ? said : [...said, told(unwanted)];
}

function told({ request, status, body, error }) {
  return `${request.method} ${request.url} answered ${status}: ${error || body}`;
}
