// Something is wrong: the default is there within the limit, and stays.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { frames, openShop, slot, state, text } from './harness/shop.mjs';

/** How long a slot may be hidden, and what a frame, a timer and a busy machine may add to that, in ms. */
const LIMIT_MS = 400, SLACK_MS = 300;
const DECIDE = '/api/v1/decide';
let shop;
before(async () => {
  shop = await openShop({ limitMs: LIMIT_MS });
  await shop.admin.register('banner', { html: 'Banner' }, { html: 'Banner' });
  shop.put('/', { body: slot('banner') });
  shop.put('/sync', { head: shop.tag({ how: '' }), body: slot('banner') });
});
after(() => shop?.close());
afterEach(() => ['/podium.js', DECIDE].forEach((path) => shop.proxy.on(path, {})));

/** Sees to it that the default is drawn within the limit, that nothing else ever is, and that nothing throws. */
async function checkDefault(page, { waitMs = LIMIT_MS * 2, id = 'slot' } = {}) {
  await page.waitForFunction((id) => {
    const slot = document.getElementById(id);
    return slot && getComputedStyle(slot).visibility === 'visible';
  }, id);
  await page.waitForTimeout(waitMs);
  const drawn = await frames(page);
  const mine = drawn.frames.filter((frame) => frame.slot === id);
  const first = mine.findIndex((frame) => frame.visible);
  assert.ok(mine[first].at - mine[0].at <= LIMIT_MS + SLACK_MS, `hidden for ${mine[first].at - mine[0].at} ms`);
  for (const frame of mine.slice(first)) assert.deepEqual([frame.visible, frame.text], [true, 'Default']);
  assert.equal(await text(page, id), 'Default');
  assert.ok(drawn.painted.includes('default'));
  assert.deepEqual(page.faults, []);
}

test('the script is blocked', async () => {
  const page = await shop.visitor();
  await page.route('**/podium.js', (route) => route.abort('blockedbyclient'));
  await page.goto(shop.url + '/');
  await checkDefault(page);
});

test('scripts are switched off', async () => {
  const page = await shop.visitor({ javaScriptEnabled: false });
  await page.goto(shop.url + '/');
  await page.waitForTimeout(LIMIT_MS + SLACK_MS);
  assert.ok(await page.isVisible('#slot'));
});

test('the script never comes', async () => {
  shop.proxy.on('/podium.js', { hangs: true });
  const page = await shop.visitor();
  await page.goto(shop.url + '/', { waitUntil: 'domcontentloaded' });
  await checkDefault(page);
});

test('the script comes when the default is already there', async () => {
  shop.proxy.on('/podium.js', { delayMs: LIMIT_MS * 2 });
  const page = await shop.visitor();
  await page.goto(shop.url + '/');
  assert.equal(await state(page), 'default');
  await checkDefault(page);
});

test('the time that a page holds its slots by itself counts', async () => {
  shop.proxy.on('/podium.js', { delayMs: LIMIT_MS * 0.7 });
  shop.proxy.on(DECIDE, { hangs: true });
  const page = await shop.visitor();
  await page.goto(shop.url + '/');
  await checkDefault(page);
});

test('the server was stopped', async () => {
  const other = await openShop({ limitMs: LIMIT_MS });
  try {
    await other.admin.register('banner', { html: 'Banner' }, { html: 'Banner' });
    other.put('/direct', { head: other.tag({ base: other.podium.url }) + shop.hold, body: slot('banner') });
    const page = await other.visitor();
    await page.goto(other.url + '/direct');
    assert.equal(await state(page), 'shown');
    await other.podium.kill();
    // The browser has the script in its cache; who is new has not.
    await page.goto(other.url + '/direct');
    assert.equal(await state(page), 'default');
    await checkDefault(page);
    const newcomer = await other.visitor();
    await newcomer.goto(other.url + '/direct');
    await checkDefault(newcomer);
  } finally {
    await other.close();
  }
});

test('the decision is slower than the limit, and what comes later changes nothing', async () => {
  for (const path of ['/', '/sync']) {
    shop.proxy.on(DECIDE, { delayMs: LIMIT_MS + 300 });
    const page = await shop.visitor();
    const answered = page.waitForResponse((answer) => answer.url().endsWith(DECIDE) && answer.request().method() === 'POST');
    await page.goto(shop.url + path);
    await answered;
    await checkDefault(page);
    assert.equal(await state(page), 'default');
  }
});

test('the decision never comes', async () => {
  shop.proxy.on(DECIDE, { hangs: true });
  const page = await shop.visitor();
  await page.goto(shop.url + '/');
  await checkDefault(page);
});

test('the answer is not what it should be', async () => {
  const decision = (more) => JSON.stringify({ decisions: [{ flag: 'banner', ...more }] });
  for (const [status, body] of [
    [200, '<html>'],
    [200, ''],
    [200, 'null'],
    [200, '[]'],
    [200, '{"decisions":7}'],
    [200, '{"decisions":[null]}'],
    [200, '{"decisions":[]}'],
    [200, '{"decisions":[{"flag":"another","value":"x"}]}'],
    [200, decision({ value: { redirect: 'http://[' } })],
    [200, decision({ value: { redirect: 'javascript:document.body.remove()' } })],
    [200, decision({ error_code: 'FLAG_NOT_FOUND', value: 'x' })],
    [401, decision({ value: 'x' })],
    [500, decision({ value: 'x' })],
  ]) {
    shop.proxy.on(DECIDE, { status, body });
    const page = await shop.visitor();
    await page.goto(shop.url + '/');
    assert.equal(await state(page), 'default', body);
    await checkDefault(page, { waitMs: 50 });
    await page.context().close();
  }
});

test('the connection breaks', async () => {
  shop.proxy.on(DECIDE, { breaks: true });
  const page = await shop.visitor();
  await page.goto(shop.url + '/');
  await checkDefault(page);
  const before = shop.proxy.asked(DECIDE).length;
  await page.evaluate((html) => document.body.insertAdjacentHTML('beforeend', html), slot('banner', 'later'));
  assert.equal(await state(page, 'later'), 'default');
  assert.equal(shop.proxy.asked(DECIDE).length, before, 'a server in trouble is left alone for a while');
});

test('nobody registered the flag', async () => {
  const page = await shop.visitor();
  await page.goto(shop.put('/unknown', { body: slot('nobody') + slot('', 'empty') + slot('banner', 'good') }));
  assert.equal(await state(page, 'good'), 'shown', 'the others are served');
  await checkDefault(page);
  await checkDefault(page, { id: 'empty', waitMs: 0 });
});

test('the key is wrong', async () => {
  const page = await shop.visitor();
  await page.goto(shop.put('/key', { head: `<script async src="${shop.proxy.url}/podium.js" data-key="podium_pub_x_y" data-timeout-ms="${LIMIT_MS}"></script>` + shop.hold, body: slot('banner') }));
  await checkDefault(page);
});

test('the browser lacks what the script needs', async () => {
  for (const prepare of [
    () => delete window.CSSStyleSheet.prototype.replaceSync,
    () => delete window.IntersectionObserver,
    () => delete window.fetch,
    () => Object.defineProperty(window, 'crypto', { value: undefined }),
  ]) {
    const page = await shop.visitor({ prepare });
    await page.goto(shop.url + '/');
    const faults = page.faults.splice(0).length;
    assert.ok(faults <= 1, 'it may say so once');
    await checkDefault(page, { waitMs: 50 });
    await page.context().close();
  }
});
