// What is reported, when and how often.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { openShop, slot, state, until } from './harness/shop.mjs';

const DECIDE = '/api/v1/decide', EVENTS = '/api/v1/events';
let shop;
before(async () => {
  shop = await openShop();
});
after(() => shop?.close());
afterEach(() => [DECIDE, EVENTS].forEach((path) => shop.proxy.on(path, {})));

/** The exposures that reached the proxy for one experiment. */
const views = (key) => shop.proxy.events().filter((event) => event.event === 'Experiment Viewed' && event.properties.experiment_id === key);
/** Long enough for whatever would be sent to have been sent. */
const settle = (page) => page.waitForTimeout(600);

test('what was shown is reported once, and the report counts the visitor', async () => {
  await shop.admin.register('counted', { html: 'A' }, { html: 'B' });
  const page = await shop.visitor();
  await page.goto(shop.put('/counted', { body: slot('counted') + slot('counted', 'twice') }));
  assert.equal(await state(page), 'shown');
  await until(() => views('counted').length, 'the exposure is sent');
  await settle(page);
  const [view, ...more] = views('counted');
  assert.deepEqual(more, [], 'once for all slots of the flag');
  const [{ body }] = shop.proxy.asked(DECIDE).slice(-1);
  assert.equal(view.anonymousId, JSON.parse(body).unit);
  assert.equal(view.messageId, `viewed-${view.properties.decision_id}`);
  assert.equal(view.properties.variation_id, (await page.textContent('#slot')) === 'A' ? 'v0' : 'v1');
  assert.equal(await shop.admin.units('counted'), 1);
  await page.reload();
  assert.equal(await state(page), 'shown');
  await until(() => views('counted').length === 2, 'another page view is another exposure');
  await settle(page);
  assert.equal(await shop.admin.units('counted'), 1, 'of the same visitor');
  const other = await shop.visitor();
  await other.goto(shop.url + '/counted');
  await until(async () => (await shop.admin.units('counted')) === 2, 'another visitor is counted');
});

test('a variant that shows nothing, or the default, counts like the others', async () => {
  await shop.admin.register('empty', { html: '' }, { html: '' });
  await shop.admin.register('control', null, null);
  const page = await shop.visitor();
  const head = shop.tag() + shop.hold + '<style>div:empty{display:none}</style>';
  await page.goto(shop.put('/empty', { head, body: slot('empty') + slot('control', 'control') }));
  await until(() => views('empty').length && views('control').length, 'both are sent');
  await until(async () => (await shop.admin.units('empty')) === 1 && (await shop.admin.units('control')) === 1, 'both count');
});

test('a link shows its variant, and nothing is reported', async () => {
  await shop.admin.register('linked', { html: 'A' }, { html: 'B' });
  const address = shop.put('/linked', { body: slot('linked') });
  const page = await shop.visitor();
  for (const [idx, content] of ['A', 'B', 'A'].entries()) {
    await page.goto(`${address}?utm=x&${await shop.admin.link('linked', `v${idx % 2}`)}`);
    assert.equal(await state(page), 'shown');
    assert.equal(await page.textContent('#slot'), content);
    await settle(page);
  }
  assert.deepEqual(views('linked'), []);
  assert.equal(await shop.admin.units('linked'), 0);
  await page.goto(address);
  assert.equal(await state(page), 'shown');
  await until(() => views('linked').length === 1, 'without the link it is an exposure');
});

test('nothing is reported before it is in view', async () => {
  await shop.admin.register('below', { html: 'Below' }, { html: 'Below' });
  const page = await shop.visitor();
  await page.goto(shop.put('/below', { body: '<div style="height:5000px"></div>' + slot('below') }));
  assert.equal(await state(page), 'shown');
  await settle(page);
  assert.deepEqual(views('below'), []);
  assert.equal(await shop.admin.units('below'), 0, 'a decision is no exposure');
  await page.evaluate(() => document.getElementById('slot').scrollIntoView());
  await until(() => views('below').length === 1, 'then it is');
  await until(async () => (await shop.admin.units('below')) === 1, 'and counts');
});

test('a variant that shows nothing is seen no sooner than the others would be', async () => {
  await shop.admin.register('hollow', { html: '' }, { html: '' });
  const page = await shop.visitor();
  const head = shop.tag() + shop.hold + '<style>div:empty{display:none}</style>';
  const body = '<p style="height:5000px">far</p>' + slot('hollow') + '<p style="height:3000px">below</p>';
  await page.goto(shop.put('/hollow', { head, body }));
  const isShown = () => document.getElementById('slot').getAttribute('data-podium-state') === 'shown';
  await until(() => page.evaluate(isShown), 'the slot has its content');
  await settle(page);
  assert.deepEqual(views('hollow'), []);
  await page.evaluate(() => scrollTo(0, 4900));
  await until(() => views('hollow').length === 1, 'then it is');
  assert.equal(await page.evaluate(() => document.querySelectorAll('span').length), 0, 'nothing is left on the page');
});

test('nothing is reported of a default that was shown for want of an answer', async () => {
  await shop.admin.register('late', { html: 'Late' }, { html: 'Late' });
  const limitMs = 200;
  shop.proxy.on(DECIDE, { delayMs: limitMs * 2 });
  const page = await shop.visitor();
  await page.goto(shop.put('/late', { head: shop.tag({ limitMs }), body: slot('late') }));
  assert.equal(await state(page), 'default');
  await page.waitForTimeout(limitMs * 2);
  await settle(page);
  assert.deepEqual(views('late'), []);
  assert.equal(await shop.admin.units('late'), 0);
});

test('nothing is reported of an experiment that does not run', async () => {
  await shop.admin.register('ended', { html: 'Ended' }, { html: 'Ended' });
  await shop.admin.act('ended', 'conclude');
  const page = await shop.visitor();
  await page.goto(shop.put('/ended', { body: slot('ended') }));
  assert.equal(await state(page), 'shown');
  await settle(page);
  assert.deepEqual(views('ended'), []);
});

test('a page that is left at once still reports', async () => {
  await shop.admin.register('left', { html: 'Left' }, { html: 'Left' });
  const page = await shop.visitor();
  shop.put('/next', { head: '', body: 'next' });
  await page.goto(shop.put('/left', { body: slot('left') }));
  await page.evaluate((next) => {
    window.podium.track('Left');
    location.assign(next);
  }, shop.url + '/next');
  await page.waitForURL('**/next');
  await until(() => shop.proxy.events().some((event) => event.event === 'Left'), 'the event arrives');
});

test('an event of the page’s own counts for the visitor', async () => {
  await shop.admin.register('bought', { html: 'A' }, { html: 'A' });
  const page = await shop.visitor();
  await page.goto(shop.put('/bought', { body: slot('bought') }));
  await until(async () => (await shop.admin.units('bought')) === 1, 'the visitor is counted');
  await page.evaluate(() => {
    const order = { order_id: 'A-1', revenue: '20.00', currency: 'USD' };
    window.podium.track('Order Completed', order);
    order.order_id = 'changed';
    window.podium.track('Loop', Object.assign(order, { order }));
  });
  await until(async () => {
    const report = await shop.admin.get('/experiments/bought/report');
    return report.metrics[0].variants.some((variant) => variant.numerator === 1);
  }, 'the order converts');
  const order = shop.proxy.events().find((event) => event.event === 'Order Completed');
  assert.equal(order.properties.order_id, 'A-1');
  assert.deepEqual(page.faults, [], 'what is no JSON is not sent, and throws nothing');
});

test('events wait for a server in trouble, and arrive once', async () => {
  const page = await shop.visitor();
  await page.goto(shop.put('/trouble', { body: '' }));
  shop.proxy.on(EVENTS, { status: 503, body: '{}' });
  await page.waitForFunction(() => 'podium' in window);
  await page.evaluate(() => [1, 2].forEach((n) => window.podium.track('Patient', { n })));
  const patient = () => shop.proxy.asked(EVENTS).filter((asked) => asked.body.includes('Patient'));
  await until(() => patient().length, 'it is tried');
  shop.proxy.on(EVENTS, {});
  await until(() => patient().length === 2, 'it is tried again', 10_000);
  await page.waitForTimeout(2_500);
  assert.equal(patient().length, 2);
  const [first, second] = patient().map((asked) => JSON.parse(asked.body).batch.map((event) => event.messageId));
  assert.deepEqual(first, second, 'the same messages');
});
