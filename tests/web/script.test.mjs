// The file itself.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { startPodium } from './harness/podium.mjs';
import { compressed } from './harness/proxy.mjs';

const FILE = new URL('../../server/assets/podium.js', import.meta.url);
const BYTES_MAX = 6_000;

let podium, source;
before(async () => {
  podium = await startPodium();
  source = await readFile(FILE, 'utf8');
});
after(() => podium?.close());

test('it is small', (t) => {
  const size = compressed(source);
  t.diagnostic(`podium.js has ${Buffer.byteLength(source)} bytes, ${size} compressed`);
  assert.ok(size < BYTES_MAX, `${size} bytes`);
});

test('its types agree', () => {
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', '.'], { cwd: new URL('.', import.meta.url), stdio: 'inherit' });
});

test('it evaluates no text and needs nothing else', () => {
  assert.match(source, /^\/\/ @ts-check\n/);
  for (const word of [/\beval\b/, /\bFunction\(/, /\bimport\b/, /\brequire\b/, /innerHTML/, /setTimeout\(['"`]/]) assert.doesNotMatch(source, word);
});

test('it is served as it is committed, and only once', async () => {
  const first = await fetch(`${podium.url}/podium.js`);
  assert.equal(first.status, 200);
  assert.equal(await first.text(), source);
  const header = (name) => first.headers.get(name);
  assert.equal(header('content-type'), 'text/javascript; charset=utf-8');
  assert.equal(header('cache-control'), 'public, max-age=300');
  assert.equal(header('x-content-type-options'), 'nosniff');
  assert.equal(header('access-control-allow-origin'), '*');
  assert.match(header('etag'), /^"[0-9a-f]{32}"$/);
  const again = await fetch(`${podium.url}/podium.js`, { headers: { 'if-none-match': header('etag') } });
  assert.equal(again.status, 304);
  assert.equal(await again.text(), '');
  const head = await fetch(`${podium.url}/podium.js`, { method: 'HEAD' });
  assert.equal(head.status, 200);
  assert.equal(head.headers.get('content-length'), String(Buffer.byteLength(source)));
  assert.equal(await head.text(), '');
});

test('pages of other origins may decide and send events, and nothing else', async () => {
  const preflight = (path, method) =>
    fetch(podium.url + path, {
      method: 'OPTIONS',
      headers: { origin: 'https://shop.example', 'access-control-request-method': method, 'access-control-request-headers': 'authorization,content-type' },
    });
  for (const path of ['/api/v1/decide', '/api/v1/events']) {
    const answer = await preflight(path, 'POST');
    assert.equal(answer.status, 204, path);
    assert.equal(answer.headers.get('access-control-allow-origin'), '*');
    assert.match(answer.headers.get('access-control-allow-headers'), /authorization.*content-type/);
    assert.equal(answer.headers.get('access-control-allow-credentials'), null);
    const refused = await fetch(podium.url + path, { method: 'POST', body: '{}', headers: { origin: 'https://shop.example' } });
    assert.equal(refused.status, 401, path);
    assert.equal(refused.headers.get('access-control-allow-origin'), '*', 'a page may read why');
  }
  for (const path of ['/api/v1/experiments', '/api/v1/keys', '/']) {
    const answer = await preflight(path, 'GET');
    assert.equal(answer.headers.get('access-control-allow-origin'), null, path);
  }
});
