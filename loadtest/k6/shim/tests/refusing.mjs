// A server that refuses as often as the path says, then answers 200: `/429/2` is refused twice with 429.
import { createServer } from "node:http";
import { parentPort } from "node:worker_threads";

const seen = new Map();

const server = createServer((request, response) => {
  const [, status, times] = request.url.split("/").map(Number);
  const count = (seen.get(request.url) ?? 0) + 1;
  seen.set(request.url, count);
  const isRefused = count <= times;
  response.writeHead(isRefused ? status : 200, { "content-type": "application/json", "retry-after": "0.05" });
  response.end(JSON.stringify({ count, key: request.headers["idempotency-key"] ?? null }));
});
// Port 0: any that is free.
server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));
