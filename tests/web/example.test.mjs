// The page of examples/web-page, as it is committed.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { openShop, until } from './harness/shop.mjs';

const FOLDER = new URL('../../examples/web-page/', import.meta.url);
const FLAGS = ['home-banner', 'shipping-note', 'tea-order'];
let shop;
before(async () => {
  shop = await openShop();
});
after(() => shop?.close());

test('the example shows what was decided, and its orders count', async () => {
  execFileSync(new URL('register.sh', FOLDER).pathname, [shop.podium.url, shop.podium.adminKey]);
  const source = await readFile(new URL('index.html', FOLDER), 'utf8');
  const served = source
    .replace('http://127.0.0.1:8080', shop.proxy.url)
    .replace('podium_pub_…', shop.podium.key)
    .replace('data-timeout-ms="400"', `data-timeout-ms="${shop.limitMs}"`)
    .replace('podium-hold 400ms', `podium-hold ${shop.limitMs}ms`);
  const shown = { 'home-banner': new Set(), 'shipping-note': new Set(), 'tea-order': new Set() };
  let n_visitors = 0;
  // Half of the visitors get each variant.
  while (FLAGS.some((flag) => shown[flag].size < 2) && n_visitors < 40) {
    n_visitors += 1;
    const page = await shop.visitor();
    await page.goto(shop.put('/', { html: served }));
    await page.waitForFunction(() => [...document.querySelectorAll('[data-podium]')].every((slot) => slot.dataset.podiumState === 'shown'));
    const texts = await page.$$eval('[data-podium]', (slots) => slots.map((slot) => [slot.dataset.podium, slot.innerText.split('\n')[0]]));
    for (const [flag, text] of texts) shown[flag].add(text);
    if (process.env.PODIUM_SHOTS) await page.screenshot({ path: `${process.env.PODIUM_SHOTS}/example-${n_visitors}.png` });
    await page.click('button');
    await page.waitForFunction(() => document.getElementById('status').textContent.includes('Thank you'));
    assert.deepEqual(page.faults, []);
    await until(async () => (await shop.admin.units('home-banner')) === n_visitors, 'the visitor is counted');
    await page.context().close();
  }
  assert.deepEqual(shown, {
    'home-banner': new Set(['First flush is here', 'Not sure? Try six.']),
    'shipping-note': new Set(['Shipping from $4.90', 'Free shipping from $30']),
    'tea-order': new Set(['Darjeeling', 'Sencha']),
  });
  await until(async () => {
    const { metrics } = await shop.admin.get('/experiments/home-banner/report');
    const conversions = metrics.find((metric) => metric.metric === 'conversion').variants;
    return conversions.reduce((sum, variant) => sum + variant.numerator, 0) === n_visitors;
  }, 'each order is in the report');
});
