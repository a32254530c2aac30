// A page that tells what it showed, by the hook of examples/openfeature-hook, in Chromium.
//
//   exposure_web.mjs URL KEY ADMIN_KEY CHROMIUM HOOK segment|fetch
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { build } from "esbuild";
import { chromium } from "playwright-core";

const [url, key, adminKey, executablePath, hook, how] = process.argv.slice(2);

const source = `
  import { OpenFeature } from "@openfeature/web-sdk";
  import { OFREPWebProvider } from "@openfeature/ofrep-web-provider";
  import { AnalyticsBrowser } from "@segment/analytics-next";
  import { exposureHook } from ${JSON.stringify(hook)};
  const [baseUrl, key] = ${JSON.stringify([url, key])};
  const headers = { Authorization: "Bearer " + key };
  const ways = {
    async segment() {
      const [analytics] = await AnalyticsBrowser.load({ writeKey: key, cdnURL: baseUrl });
      return [analytics.user().anonymousId(), (event, properties) => analytics.track(event, properties)];
    },
    async fetch() {
      const unit = localStorage.visitor ??= crypto.randomUUID();
      return [unit, (event, properties, anonymousId) =>
        fetch(baseUrl + "/v1/track", { method: "POST", keepalive: true, headers, body: JSON.stringify({ event, properties, anonymousId }) })
          .catch(console.warn)];
    },
  };
  globalThis.start = async () => {
    const [targetingKey, track] = await ways[${JSON.stringify(how)}]();
    await OpenFeature.setContext({ targetingKey });
    await OpenFeature.setProviderAndWait(new OFREPWebProvider({ baseUrl, headers: Object.entries(headers) }));
    OpenFeature.addHooks(exposureHook(track));
    globalThis.client = OpenFeature.getClient();
    return targetingKey;
  };
`;
const bundle = await build({
  stdin: { contents: source, resolveDir: import.meta.dirname },
  bundle: true,
  format: "iife",
  platform: "browser",
  write: false,
});
const script = bundle.outputFiles[0].text;
const shop = createServer((request, response) => {
  const [type, body] = request.url === "/shop.js"
    ? ["text/javascript", script]
    : ["text/html", '<!doctype html><title>Shop</title><script src="/shop.js"></script>'];
  response.writeHead(200, { "Content-Type": `${type}; charset=utf-8` }).end(body);
});
await new Promise((done) => shop.listen(0, "127.0.0.1", done));
const origin = `http://127.0.0.1:${shop.address().port}`;
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });

async function api(path) {
  const answer = await fetch(`${url}/api/v1${path}`, { headers: { Authorization: `Bearer ${adminKey}` } });
  assert.equal(answer.status, 200, path);
  return answer.json();
}

/** The exposed units of an experiment. */
async function units(experiment) {
  const { metrics } = await api(`/experiments/${experiment}/report`);
  return metrics[0].variants.reduce((sum, variant) => sum + variant.units, 0);
}

/** What arrived of the hook, by unit. */
async function told() {
  const { data } = await api("/events?status=accepted&name=Experiment%20Viewed&limit=500");
  return data.map((event) => event.unit);
}

async function until(what, probe) {
  for (const begun = Date.now(); Date.now() - begun < 20_000; ) {
    if (await probe()) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  assert.fail(`not within 20 s: ${what}`);
}

/** Opens a page; `again` and again it evaluates every flag. */
async function open(visitor, again) {
  const page = await visitor.newPage();
  page.on("pageerror", (fault) => assert.fail(String(fault)));
  await page.goto(origin);
  const unit = await page.evaluate(() => start());
  const variants = await page.evaluate((again) => {
    const seen = new Set();
    for (let n = 0; n < again; n += 1) {
      seen.add(client.getStringDetails("banner", "").variant);
      for (const flag of ["draft", "nobody-knows"]) client.getStringDetails(flag, "");
      // Nobody sees a value of another type: the default is shown.
      client.getBooleanDetails("other-banner", false);
    }
    return [...seen];
  }, again);
  assert.equal(variants.length, again === 0 ? 0 : 1);
  return unit;
}

try {
  // Whoever only has the flags has seen nothing.
  await open(await browser.newContext(), 0);
  assert.equal(await units("banner"), 0);

  const ann = await browser.newContext();
  const unit = await open(ann, 5);
  await until("the exposure is told", async () => (await told()).length === 1);
  assert.deepEqual(await told(), [unit]);
  assert.equal(await units("banner"), 1);

  // Another page of the same visitor tells it again, and it is one unit still.
  assert.equal(await open(ann, 5), unit);
  await until("it is told again", async () => (await told()).length === 2);
  assert.deepEqual(await told(), [unit, unit]);
  assert.equal(await units("banner"), 1);

  const other = await open(await browser.newContext(), 5);
  await until("another visitor is told of", async () => (await told()).length === 3);
  assert.deepEqual(new Set(await told()), new Set([unit, other]));
  assert.equal(await units("banner"), 2);
  assert.equal(await units("other-banner"), 0);
} finally {
  await browser.close();
  shop.close();
  shop.closeAllConnections();
}
