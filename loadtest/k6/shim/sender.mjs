// Sends one request after the other for the thread that waits.
import { workerData } from "node:worker_threads";

const LIMIT_MILLISECONDS = 60000;
const { answered, port } = workerData;

port.on("message", async (sent) => {
  port.postMessage(await answer(sent));
  Atomics.store(answered, 0, 1);
  Atomics.notify(answered, 0);
});

// Like k6, a request without an answer has status 0 and an error.
async function answer({ method, url, body, headers }) {
  try {
    const signal = AbortSignal.timeout(LIMIT_MILLISECONDS);
    const response = await fetch(url, { method, body, headers, redirect: "manual", signal });
    return { status: response.status, headers: [...response.headers], body: await response.text(), error: "" };
  } catch (error) {
    return { status: 0, headers: [], body: "", error: String(error.cause ?? error) };
  }
}
