// @segment/analytics-next on a page of the shop's own origin, in Chromium.
//   segment_browser.mjs URL KEY COUNT EVENTS_URL SERVER_KEY standard|batching
// It ends once the server lists every event.
import { build } from 'esbuild';
import { createServer } from 'node:http';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const [cdnURL, writeKey, count, eventsUrl, serverKey, strategy] = process.argv.slice(2);
const delivery = { strategy, config: strategy === 'batching' ? { size: 10, timeout: 1_000 } : {} };
const entry = `
import { AnalyticsBrowser } from '@segment/analytics-next';
const analytics = AnalyticsBrowser.load(
  ${JSON.stringify({ writeKey, cdnURL })},
  { integrations: { 'Segment.io': { deliveryStrategy: ${JSON.stringify(delivery)} } } },
);
analytics.page('Home');
analytics.identify('known', { plan: 'gold' });
analytics.group('team', { seats: 3 });
analytics.alias('known', 'visitor');
for (let number = 0; number < ${Number(count)}; number += 1) {
  analytics.track('Product Added', { product_id: number });
}`;
const resolveDir = dirname(fileURLToPath(import.meta.url));
const bundle = await build({
  stdin: { contents: entry, resolveDir },
  bundle: true,
  write: false,
  format: 'iife',
  platform: 'browser',
  logLevel: 'error',
});
const script = bundle.outputFiles[0].text;
const server = createServer((request, response) => {
  const [type, body] =
    request.url === '/shop.js'
      ? ['text/javascript', script]
      : ['text/html', '<!doctype html><title>Shop</title><script src="/shop.js"></script>'];
  response.writeHead(200, { 'content-type': `${type}; charset=utf-8` }).end(body);
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const browser = await chromium.launch({
  executablePath: process.env.PODIUM_CHROMIUM ?? '/usr/bin/chromium',
  args: process.getuid() === 0 ? ['--no-sandbox'] : [],
});
try {
  const page = await browser.newPage();
  const said = [];
  page.on('pageerror', (fault) => said.push(String(fault)));
  page.on('console', (line) => said.push(line.text()));
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  const expected = Number(count) + 4;
  const begun = Date.now();
  for (let n_found = 0; n_found < expected; ) {
    if (Date.now() - begun > 80_000) throw new Error(`${n_found} of ${expected} events; the page said: ${said.join('\n')}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const answer = await fetch(`${eventsUrl}/api/v1/events?status=accepted&limit=500`, {
      headers: { authorization: `Bearer ${serverKey}` },
    });
    n_found = (await answer.json()).data.length;
  }
} finally {
  await browser.close();
  server.close();
}
