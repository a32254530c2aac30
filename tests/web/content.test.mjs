// What a variant may put into a slot: HTML that runs nothing, JSON for the page, or another page.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { openShop, slot, state, text, until } from './harness/shop.mjs';

const DECIDE = '/api/v1/decide';
let shop;
before(async () => {
  shop = await openShop();
});
after(() => shop?.close());
afterEach(() => shop.proxy.on(DECIDE, {}));

/** Registers a flag that shows this to everybody, and opens a page with a slot for it. */
async function open(flag, content, { page, head } = {}) {
  await shop.admin.register(flag, content, content);
  page ??= await shop.visitor();
  await page.goto(shop.put(`/${flag}`, { head, body: slot(flag) }), { waitUntil: 'commit' });
  return page;
}
const views = (key) => shop.proxy.events().filter((event) => event.properties?.experiment_id === key);

test('HTML replaces the default', async () => {
  const html = '<p class="x" style="color:red" aria-label="Sale">Hi <a href="/sale?a=1" target="_blank" rel="noopener">sale</a> <img src="/a.png" alt="A"></p> &amp; more';
  const page = await open('html', { html });
  assert.equal(await state(page), 'shown');
  assert.equal(await page.$eval('#slot', (slot) => slot.innerHTML), html);
});

test('HTML runs nothing', async () => {
  const attacks = [
    '<script>hit()</script>',
    '<script src="/hit.js"></script>',
    '<img src="x" onerror="hit()">',
    '<svg onload="hit()"><script>hit()</script><animate onbegin="hit()" attributeName="x" dur="1s"/></svg>',
    '<svg><a><animate attributeName="href" values="javascript:hit()"/><text y="20">click</text></a></svg>',
    '<math><mtext><table><mglyph><style><img src=x onerror=hit()></style></mglyph></table></mtext></math>',
    '<iframe src="javascript:parent.hit()"></iframe>',
    '<iframe srcdoc="<script>parent.hit()</script>"></iframe>',
    '<object data="javascript:hit()"></object><embed src="javascript:hit()">',
    '<a href="javascript:hit()" id="a1">click</a>',
    '<a href=" java\tscript:hit()" id="a2">click</a>',
    '<a href="JAVASCRIPT&colon;hit()" id="a3">click</a>',
    '<a href="data:text/html,<script>hit()</script>" id="a4">click</a>',
    '<form action="javascript:hit()"><button id="a5" formaction="javascript:hit()">click</button></form>',
    '<button id="a6" onclick="hit()">click</button>',
    '<details open ontoggle="hit()"><summary>x</summary></details>',
    '<video autoplay onloadstart="hit()" src="/x.mp4"><source onerror="hit()" src="/x"></video>',
    '<input autofocus onfocus="hit()"><p tabindex="0" autofocus onfocus="hit()">x</p>',
    '<style>@import "javascript:hit()";</style><link rel="stylesheet" href="/hit.css"><base href="//evil.example/">',
    '<meta http-equiv="refresh" content="0;url=javascript:hit()">',
    '<template><img src=x onerror=hit()></template><noscript><p title="</noscript><img src=x onerror=hit()>"></noscript>',
    '<div><template shadowrootmode="open"><img src=x onerror=hit()></template></div>',
    '<x-custom onclick="hit()"></x-custom><p is="x-custom">x</p>',
    '<div data-podium="html" id="nested">nested</div>',
    '<p onpointerover=hit() onanimationstart=hit() style="animation:podium-hold 1s">x</p>',
  ];
  const page = await shop.visitor({
    prepare: () => {
      window.hits = [];
      window.hit = () => window.hits.push(document.getElementById('slot')?.innerHTML);
      customElements.define('x-custom', class extends HTMLElement {
        constructor() {
          super();
          window.hit();
        }
      });
    },
  });
  await page.goto(shop.put('/attacks', { body: '<main id="main"></main>' }));
  await page.waitForFunction(() => 'podium' in window);
  for (const html of attacks) {
    shop.proxy.on(DECIDE, { status: 200, body: JSON.stringify({ decisions: [{ flag: html.length + 'x', value: { html } }] }) });
    await page.evaluate((html) => (document.getElementById('main').innerHTML = html), slot(html.length + 'x'));
    assert.equal(await state(page), 'shown', html);
    await page.$$eval('#slot *', (elements) => elements.forEach((element) => element.click?.()));
    await page.waitForTimeout(30);
    const left = await page.evaluate(() => {
      const elements = [...document.querySelectorAll('#slot *')];
      const attributes = elements.flatMap((element) => [...element.attributes]);
      const addresses = attributes.filter(({ name }) => ['href', 'src'].includes(name));
      return {
        hits: window.hits,
        names: [...elements.map(({ localName }) => localName.replace('style', 'script')), ...attributes.map(({ name }) => name)],
        protocols: addresses.map(({ value }) => new URL(value, location).protocol),
      };
    });
    assert.deepEqual(left.hits, [], html);
    const bad = /^(on.*|data-podium|is|srcdoc|action|formaction|script|iframe|svg|math|form|object|embed|link|base|meta|template|x-.*)$/;
    assert.deepEqual(left.names.filter((name) => bad.test(name)), [], html);
    assert.deepEqual(left.protocols.filter((protocol) => protocol !== 'http:'), [], html);
  }
  assert.deepEqual(page.faults, []);
});

test('a hit would be seen', async () => {
  const page = await shop.visitor();
  await page.goto(shop.put('/hit', { head: '', body: '<img src="x" onerror="window.isHit = true">' }));
  await page.waitForFunction(() => window.isHit);
});

test('text is text', async () => {
  const page = await open('plain', '<b>5 < 6</b>');
  assert.equal(await state(page), 'shown');
  assert.equal(await text(page), '<b>5 < 6</b>');
  const number = await open('number', 7.5);
  assert.equal(await state(number), 'shown');
  assert.equal(await text(number), '7.5');
});

test('JSON is handed to the page, whose default stays', async () => {
  const listens = `<script>addEventListener('podium:decision', (event) => (window.told = [...(window.told ?? []), [event.target.id, event.detail]]))</script>`;
  const page = await open('json', { json: { label: 'Buy', n: [1] } }, { head: listens + shop.tag() + shop.hold });
  assert.equal(await state(page), 'shown');
  assert.equal(await text(page), 'Default');
  const [[id, { variant, ...detail }], ...more] = await page.evaluate(() => window.told);
  assert.equal(id, 'slot');
  assert.match(variant, /^v[01]$/);
  assert.deepEqual(detail, { flag: 'json', value: { label: 'Buy', n: [1] } });
  assert.deepEqual(more, []);
  await until(() => views('json').length === 1, 'it is reported');
});

test('a listener that throws does no harm', async () => {
  const listens = `<script>addEventListener('podium:decision', () => { throw new Error('mine') })</script>`;
  const page = await open('thrown', { json: 1 }, { head: listens + shop.tag() + shop.hold });
  assert.equal(await state(page), 'shown');
  assert.ok(await page.isVisible('#slot'));
});

test('a redirect leads to the other page once a session, and is reported', async () => {
  shop.put('/other', { body: slot('moved', 'there') });
  const page = await open('moved', { redirect: '/other?x=1#top' });
  await page.waitForURL('**/other?x=1#top');
  assert.equal(await state(page, 'there'), 'shown', 'no loop: we are there');
  assert.equal(await text(page, 'there'), 'Default');
  await until(async () => (await shop.admin.units('moved')) === 1, 'the visitor counts');
  await page.goto(shop.url + '/moved');
  assert.equal(await state(page), 'shown');
  assert.equal(page.url(), shop.url + '/moved', 'who comes back in the session stays');
  const again = await shop.visitor();
  await again.goto(shop.url + '/moved', { waitUntil: 'commit' });
  await again.waitForURL('**/other?x=1#top');
});

test('nothing is visible of a page that redirects', async () => {
  await shop.admin.register('away', { redirect: '/arrived' }, { redirect: '/arrived' });
  shop.put('/arrived', { head: '', body: 'here' });
  shop.proxy.on(DECIDE, { delayMs: 200 });
  const page = await shop.visitor();
  await page.addInitScript(() =>
    addEventListener('pagehide', () => {
      const mine = window.frames_.filter((frame) => frame.slot === 'slot');
      localStorage.setItem('visible', `${mine.length > 0} ${mine.some((frame) => frame.visible)}`);
    }),
  );
  await page.goto(shop.put('/away', { body: slot('away') }), { waitUntil: 'commit' });
  await page.waitForURL('**/arrived');
  assert.equal(await page.evaluate(() => localStorage.getItem('visible')), 'true false');
});

test('two redirects that lead to each other end', async () => {
  await shop.admin.register('ping', { redirect: '/pong' }, { redirect: '/pong' });
  await shop.admin.register('pong', { redirect: '/ping' }, { redirect: '/ping' });
  shop.put('/ping', { body: slot('ping') });
  shop.put('/pong', { body: slot('pong') });
  const page = await shop.visitor();
  const visited = [];
  page.on('framenavigated', (frame) => visited.push(new URL(frame.url()).pathname));
  await page.goto(shop.url + '/ping', { waitUntil: 'commit' });
  await until(() => visited.length === 3, 'there and back');
  assert.equal(await state(page), 'shown');
  await page.waitForTimeout(500);
  assert.deepEqual(visited, ['/ping', '/pong', '/ping']);
  const page2 = await shop.visitor({ prepare: () => Object.defineProperty(window, 'sessionStorage', { get: () => { throw new DOMException('denied', 'SecurityError'); } }) });
  await page2.goto(shop.url + '/ping');
  assert.equal(await state(page2), 'shown');
  assert.equal(page2.url(), shop.url + '/ping', 'without a memory nobody is sent anywhere');
});

test('a redirect to what is no web address is refused', async () => {
  for (const [flag, redirect] of [
    ['script', 'javascript:document.body.remove()'],
    ['script-2', ' \tJava\nScript:document.body.remove()'],
    ['data', 'data:text/html,x'],
    ['file', 'file:///etc/passwd'],
    ['blob', 'blob:x'],
    ['wrong', 'http://['],
  ]) {
    const page = await open(flag, { redirect });
    assert.equal(await state(page), 'default', redirect);
    assert.equal(await text(page), 'Default');
    assert.ok(await page.isVisible('#slot'));
    assert.deepEqual(page.faults, []);
    await page.waitForTimeout(300);
    assert.deepEqual(views(flag), [], 'and not reported');
    await page.context().close();
  }
});
