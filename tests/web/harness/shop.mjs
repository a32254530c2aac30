// A shop: pages, a browser that opens them, and the server behind a proxy.
import { createServer } from 'node:http';
import { chromium } from 'playwright-core';
import { watchFrames } from './frames.mjs';
import { listen } from './listen.mjs';
import { startPodium } from './podium.mjs';
import { startProxy } from './proxy.mjs';

/** The limit of pages where all is well, in ms: long, so that a busy machine does not look like a slow server. */
const PATIENCE_MS = 4_000;

/** A slot that the browser can be asked about: `painted_` has `default` if its default was ever drawn. */
export const slot = (flag, id = 'slot') => `<div id="${id}" data-podium="${flag}"><p elementtiming="default">Default</p></div>`;

export async function openShop({ limitMs = PATIENCE_MS } = {}) {
  const podium = await startPodium();
  const proxy = await startProxy(podium.url);
  const pages = new Map();
  const server = createServer((request, response) => {
    const path = request.url.split('?')[0];
    const { html = '', headers = {} } = pages.get(path) ?? {};
    if (path === '/favicon.ico') return response.writeHead(204).end();
    response.writeHead(pages.has(path) ? 200 : 404, { 'content-type': 'text/html; charset=utf-8', ...headers }).end(html);
  });
  const url = await listen(server);
  const browser = await chromium.launch({
    executablePath: process.env.PODIUM_CHROMIUM ?? '/usr/bin/chromium',
    args: process.getuid() === 0 ? ['--no-sandbox'] : [],
  });
  const contexts = [];
  const shop = {
    podium,
    proxy,
    url,
    admin: podium.admin,
    limitMs,
    /** The page's own hold, for a script that is loaded without blocking. */
    hold: `<style>@keyframes podium-hold{from,to{visibility:hidden}}
[data-podium]:not([data-podium-state]){animation:podium-hold ${limitMs}ms}</style>`,
    /** The tag of the script. */
    tag: ({ how = 'async', base = proxy.url, more = '', limitMs = shop.limitMs } = {}) =>
      `<script ${how} src="${base}/podium.js" data-key="${podium.key}" data-timeout-ms="${limitMs}" ${more}></script>`,
    /** Puts up a page, whole or in parts; returns its address. */
    put(path, { head = shop.tag() + shop.hold, body, headers = {}, html }) {
      html ??= `<!doctype html><html lang="en"><head><title>Shop</title>${head}</head><body>${body}</body></html>`;
      pages.set(path, { html, headers });
      return url + path;
    },
    /** A visitor whom nobody knows: a browser profile of its own. */
    async visitor({ prepare, ...options } = {}) {
      const context = await browser.newContext(options);
      contexts.push(context);
      await context.addInitScript(watchFrames);
      if (prepare) await context.addInitScript(prepare);
      const page = await context.newPage();
      page.faults = [];
      page.on('pageerror', (fault) => page.faults.push(String(fault)));
      return page;
    },
    async close() {
      await browser.close();
      await proxy.close();
      await new Promise((resolve) => server.close(resolve).closeAllConnections());
      await podium.close();
    },
  };
  return shop;
}

/** Waits until `holds` gives something true, and returns it. */
export async function until(holds, what, withinMs = 5_000) {
  const begun = Date.now();
  for (;;) {
    const found = await holds();
    if (found) return found;
    if (Date.now() - begun > withinMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** What a slot shows. */
export const text = (page, id = 'slot') => page.$eval(`#${id}`, (slot) => slot.textContent.trim());
/** What became of a slot, once something did. */
export async function state(page, id = 'slot') {
  const handle = await page.waitForFunction((id) => {
    const state = document.getElementById(id)?.dataset.podiumState;
    return state && state !== 'wait' && state;
  }, id);
  return handle.jsonValue();
}
/** What each frame so far showed. */
export async function frames(page) {
  await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  return page.evaluate(() => ({ frames: window.frames_, painted: window.painted_ }));
}
