// All is well: the variant is there, and nothing flickers.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { frames, openShop, slot, state, text, until } from './harness/shop.mjs';

let shop;
before(async () => {
  shop = await openShop();
  await shop.admin.register('banner', { html: '<b>Banner</b>' }, { html: '<b>Banner</b>' });
  await shop.admin.register('label', 'Buy now', 'Buy now');
  await shop.admin.register('same', null, null);
});
after(() => shop?.close());

/** The texts that were visible in a frame. */
const seen = ({ frames }) => [...new Set(frames.filter((frame) => frame.visible).map((frame) => frame.text))];

const WAYS = {
  'loaded without blocking, behind a hold of the page': () => shop.tag() + shop.hold,
  'loaded in the head, without a hold': () => shop.tag({ how: '' }),
};
for (const [way, head] of Object.entries(WAYS)) {
  test(`no frame shows the default: ${way}`, async () => {
    shop.put('/hold', { head: head(), body: slot('banner') + slot('label', 'label') });
    const page = await shop.visitor();
    await page.goto(shop.url + '/hold');
    assert.equal(await state(page), 'shown');
    assert.equal(await state(page, 'label'), 'shown');
    const drawn = await frames(page);
    assert.equal(await page.$eval('#slot', (slot) => slot.innerHTML), '<b>Banner</b>');
    assert.deepEqual(seen(drawn).sort(), ['Banner', 'Buy now']);
    assert.deepEqual(drawn.painted, [], 'the browser painted no default');
    assert.deepEqual(page.faults, []);
  });
}

test('a slot is held while the answer takes its time', async () => {
  shop.proxy.on('/api/v1/decide', { delayMs: 300 });
  const page = await shop.visitor();
  await page.goto(shop.put('/held', { body: slot('banner') }));
  assert.equal(await state(page), 'shown');
  const drawn = await frames(page);
  assert.ok(drawn.frames.some((frame) => !frame.visible && frame.text === 'Default'), 'frames without it were drawn');
  assert.deepEqual(seen(drawn), ['Banner']);
  assert.deepEqual(drawn.painted, []);
  shop.proxy.on('/api/v1/decide', {});
});

test('the frames would show a default if there were one', async () => {
  const page = await shop.visitor();
  await page.goto(shop.put('/without', { head: '', body: slot('banner') }));
  const drawn = await until(async () => {
    const drawn = await frames(page);
    return drawn.painted.length && drawn;
  }, 'the default is painted');
  assert.deepEqual(seen(drawn), ['Default']);
  assert.deepEqual(drawn.painted, ['default']);
});

test('a variant without content shows the default', async () => {
  const page = await shop.visitor();
  await page.goto(shop.put('/same', { body: slot('same') }));
  assert.equal(await state(page), 'shown');
  assert.equal(await text(page), 'Default');
});

test('all slots of a page are decided in one call, which is no exposure by itself', async () => {
  const before = shop.proxy.asked('/api/v1/decide').length;
  const page = await shop.visitor();
  await page.goto(shop.put('/two', { body: slot('banner') + slot('label', 'two') + slot('banner', 'three') }));
  for (const id of ['slot', 'two', 'three']) assert.equal(await state(page, id), 'shown');
  const calls = shop.proxy.asked('/api/v1/decide').slice(before);
  assert.equal(calls.length, 1);
  const { unit, ...asked } = JSON.parse(calls[0].body);
  assert.deepEqual(asked, { flags: ['banner', 'label'], exposure: false, channel: 'web' });
  assert.match(unit, /^[0-9a-f]{32}$/);
  assert.equal(await text(page, 'three'), 'Banner');
});

test('a slot that is added later is filled, and never shows its default', async () => {
  const before = shop.proxy.asked('/api/v1/decide').length;
  const page = await shop.visitor();
  await page.goto(shop.put('/later', { body: slot('banner') + '<main id="main"></main>' }));
  await state(page);
  await page.evaluate((html) => (document.getElementById('main').innerHTML = `<section>${html}</section>`), slot('label', 'new'));
  assert.equal(await state(page, 'new'), 'shown');
  await page.evaluate((html) => document.getElementById('main').insertAdjacentHTML('beforeend', html), slot('banner', 'known'));
  assert.equal(await state(page, 'known'), 'shown');
  assert.deepEqual(seen(await frames(page)).sort(), ['Banner', 'Buy now']);
  assert.equal(shop.proxy.asked('/api/v1/decide').length - before, 2, 'what is known is not asked again');
});

test('a visitor keeps the id from page to page', async () => {
  const page = await shop.visitor();
  const units = [];
  for (const path of ['/two', '/later', '/two']) {
    await page.goto(shop.url + path);
    await state(page);
    units.push(JSON.parse(shop.proxy.asked('/api/v1/decide').at(-1).body).unit);
  }
  assert.equal(new Set(units).size, 1);
  const other = await shop.visitor();
  await other.goto(shop.url + '/two');
  await state(other);
  assert.notEqual(JSON.parse(shop.proxy.asked('/api/v1/decide').at(-1).body).unit, units[0]);
});

test('who is known is decided for by that name', async () => {
  const page = await shop.visitor();
  await page.goto(shop.put('/known', { head: shop.tag({ more: 'data-user="ann"' }) + shop.hold, body: slot('banner') }));
  await state(page);
  assert.equal(JSON.parse(shop.proxy.asked('/api/v1/decide').at(-1).body).unit, 'ann');
  await page.evaluate((html) => {
    window.podium.identify('bob');
    document.body.insertAdjacentHTML('beforeend', html);
  }, slot('banner', 'bobs'));
  assert.equal(await state(page, 'bobs'), 'shown');
  assert.equal(JSON.parse(shop.proxy.asked('/api/v1/decide').at(-1).body).unit, 'bob');
  const identified = await until(() => shop.proxy.events().find((event) => event.type === 'identify'), 'the name is sent');
  assert.equal(identified.userId, 'bob');
  assert.match(identified.anonymousId, /^[0-9a-f]{32}$/);
});

test('it works without storage', async () => {
  const prepare = () => Object.defineProperty(window, 'localStorage', { get: () => { throw new DOMException('denied', 'SecurityError'); } });
  const page = await shop.visitor({ prepare });
  await page.goto(shop.url + '/two');
  assert.equal(await state(page), 'shown');
  assert.equal(await text(page), 'Banner');
  assert.deepEqual(page.faults, []);
});

test('it works under a strict policy, with no style of the page’s', async () => {
  const { origin } = new URL(shop.proxy.url);
  const policy = `default-src 'none'; script-src ${origin}; connect-src ${origin}; style-src 'none'; require-trusted-types-for 'script'; trusted-types podium`;
  const page = await shop.visitor();
  const complaints = [];
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  await page.goto(shop.put('/policy', { head: shop.tag({ how: '' }), body: slot('banner'), headers: { 'content-security-policy': policy } }));
  assert.equal(await state(page), 'shown');
  assert.equal(await text(page), 'Banner');
  assert.deepEqual(seen(await frames(page)), ['Banner'], 'and the slot is held all the same');
  assert.deepEqual(complaints, []);
  assert.deepEqual(page.faults, []);
});
