// The module `k6/http`, whose requests block: a worker sends them while this thread waits.
import { MessageChannel, Worker, receiveMessageOnPort } from "node:worker_threads";

const answered = new Int32Array(new SharedArrayBuffer(4));
const { port1: port, port2: workersPort } = new MessageChannel();
const worker = new Worker(new URL("./sender.mjs", import.meta.url), {
  workerData: { answered, port: workersPort },
  transferList: [workersPort],
});
worker.unref();

// Every answer so far, for whoever looks at them afterwards.
export const answers = [];

export function request(method, url, body = null, params = {}) {
  if (body !== null && typeof body !== "string") {
    throw new Error(`the shim sends texts, not ${typeof body}`);
  }
  Atomics.store(answered, 0, 0);
  port.postMessage({ method, url, body, headers: params.headers ?? {} });
  Atomics.wait(answered, 0, 0);
  const answer = new Response({ method, url }, receiveMessageOnPort(port).message, params.tags ?? {});
  answers.push(answer);
  return answer;
}

class Response {
  constructor(sent, { status, headers, body, error }, tags) {
    Object.assign(this, { url: sent.url, request: sent, status, body, error, tags });
    this.headers = Object.fromEntries(headers.map(([name, value]) => [canonical(name), value]));
  }

  json() {
    return JSON.parse(this.body);
  }
}

// As Go spells names of headers: `Retry-After`, `Etag`.
function canonical(name) {
  return name.toLowerCase().replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase());
}

export default { request };
