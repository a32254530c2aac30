// What stands between the browser and the server: it notes every request, and can be slow, wrong or gone.
import { createServer, request as forward } from 'node:http';
import { gzipSync } from 'node:zlib';
import { listen } from './listen.mjs';

/**
 * Forwards to `target`.
 *
 * `proxy.on(path, how)` changes what becomes of requests to a path: `{ delayMs }`, `{ status, body }`, `{ breaks: true }`
 * or `{ hangs: true }`.
 */
export async function startProxy(target) {
  const asked = [];
  const hows = new Map();
  const server = createServer(async (incoming, outgoing) => {
    const chunks = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    asked.push({ method: incoming.method, path: incoming.url, headers: incoming.headers, body: body.toString() });
    const how = incoming.method === 'OPTIONS' ? {} : (hows.get(incoming.url) ?? {});
    if (how.breaks) return incoming.socket.destroy();
    if (how.hangs) return;
    if (how.delayMs) await new Promise((resolve) => setTimeout(resolve, how.delayMs));
    if (how.status) {
      outgoing.writeHead(how.status, { 'content-type': 'application/json', 'access-control-allow-origin': '*' });
      return outgoing.end(how.body);
    }
    const { host: _, ...headers } = incoming.headers;
    const onward = forward(new URL(incoming.url, target), { method: incoming.method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on('error', () => incoming.socket.destroy());
    onward.end(body);
  });
  const url = await listen(server);
  return {
    url,
    on: (path, how) => hows.set(path, how),
    asked: (path) => asked.filter((one) => one.path === path && one.method !== 'OPTIONS'),
    /** All events that were sent, in order. */
    events: () => asked.filter((one) => one.path === '/api/v1/events' && one.method === 'POST').flatMap((one) => JSON.parse(one.body).batch),
    close: () => new Promise((resolve) => server.close(resolve).closeAllConnections()),
  };
}

/** How many bytes a text has as browsers get it at best. */
export const compressed = (text) => gzipSync(text, { level: 9 }).length;
