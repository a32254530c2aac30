// What a page of another origin gets through @openfeature/ofrep-web-provider, in Chromium.
//
//   ofrep_web.mjs URL KEY ADMIN_KEY CHROMIUM          against the flags of tests/it/clients_ofrep.rs
//   ofrep_web.mjs URL KEY ADMIN_KEY CHROMIUM limited  against a server that allows one evaluation a second
//   ofrep_web.mjs URL KEY ADMIN_KEY CHROMIUM origins  once with a key that is for the page, and once with one that is not
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { build } from "esbuild";
import { chromium } from "playwright-core";

const [url, key, adminKey, executablePath, mode] = process.argv.slice(2);

const source = `
  import { OpenFeature } from "@openfeature/web-sdk";
  import { OFREPWebProvider } from "@openfeature/ofrep-web-provider";
  globalThis.events = [];
  globalThis.start = async (options, context) => {
    const provider = new OFREPWebProvider({
      baseUrl: ${JSON.stringify(url)},
      headers: [["Authorization", ${JSON.stringify(`Bearer ${key}`)}]],
      ...options,
    });
    for (const name of ["PROVIDER_CONFIGURATION_CHANGED", "PROVIDER_STALE", "PROVIDER_ERROR"]) {
      OpenFeature.addHandler(name, (details) => globalThis.events.push({ name, ...details }));
    }
    if (context) await OpenFeature.setContext(context);
    try {
      await OpenFeature.setProviderAndWait(provider);
    } catch (error) {
      return String(error.cause ?? error);
    }
    globalThis.client = OpenFeature.getClient();
  };
`;
const bundle = await build({
  stdin: { contents: source, resolveDir: import.meta.dirname },
  bundle: true,
  format: "iife",
  write: false,
});
const script = bundle.outputFiles[0].text;
const shop = createServer((_, response) => {
  response.setHeader("Content-Type", "text/html");
  response.end(`<!doctype html><title>Shop</title><script>${script.replaceAll("</script", "<\\/script")}</script>`);
});
await new Promise((done) => shop.listen(0, "127.0.0.1", done));
const origin = `http://127.0.0.1:${shop.address().port}`;

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const visitor = await browser.newContext();
// Every answer for all flags: its status, the condition it was asked under, the notice it was asked after.
const answers = [];

async function open(options, context) {
  const page = await visitor.newPage();
  page.on("response", async (response) => {
    const request = response.request();
    if (request.method() !== "POST") return;
    const answer = {
      status: response.status(),
      condition: request.headers()["if-none-match"],
      told: new URL(response.url()).searchParams.get("flagConfigEtag"),
    };
    answers.push(answer);
    if (answer.status === 400) answer.word = (await response.json()).errorCode;
  });
  await page.goto(origin);
  const failed = await page.evaluate(([options, context]) => start(options, context), [options, context]);
  return [page, failed];
}

const details = (page, type, flag, fallback) =>
  page.evaluate(([type, flag, fallback]) => client[`get${type}Details`](flag, fallback), [type, flag, fallback]);

async function act(flag, action) {
  const answer = await fetch(`${url}/api/v1/experiments/${flag}/${action}`, {
    method: "POST",
    headers: { Authorization: `Bearer ${adminKey}`, "If-Match": "*" },
  });
  assert.equal(answer.status, 200, await answer.text());
}

/** Has the page's key be for these origins alone. */
async function setOrigins(origins) {
  const answer = await fetch(`${url}/api/v1/keys/${key.split("_")[2]}/origins`, {
    method: "PUT",
    headers: { Authorization: `Bearer ${adminKey}` },
    body: JSON.stringify({ origins }),
  });
  assert.equal(answer.status, 200, await answer.text());
}

async function until(what, probe) {
  for (const begun = Date.now(); Date.now() - begun < 20_000; ) {
    if (await probe()) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  assert.fail(`not within 20 s: ${what}; the answers were ${JSON.stringify(answers)}`);
}

const ann = { targetingKey: "ann", "shop.country": "NL" };

const modes = {
  async undefined() {
    const [page, failed] = await open({}, ann);
    assert.equal(failed, undefined);
    const cases = [
      ["Boolean", "boolean", false, true],
      ["String", "text", "", "Free returns"],
      ["Number", "integer", 0, 7],
      ["Number", "float", 0, 8],
      ["Object", "object", {}, { layout: "wide", columns: [1, 2.5] }],
    ];
    for (const [type, flag, fallback, value] of cases) {
      const found = await details(page, type, flag, fallback);
      assert.equal(found.errorCode, undefined, `${flag}: ${found.errorMessage}`);
      assert.deepEqual([found.value, found.reason], [value, "SPLIT"], flag);
      assert.equal(found.flagMetadata.experimentId, flag);
      assert.equal(typeof found.flagMetadata.sticky, "string");
      assert.equal(found.flagMetadata.decisionId, undefined);
    }
    const draft = await details(page, "String", "draft", "");
    assert.deepEqual([draft.value, draft.reason], ["a draft", "DISABLED"]);
    const unknown = await details(page, "String", "nobody-knows", "mine");
    assert.deepEqual([unknown.value, unknown.errorCode], ["mine", "FLAG_NOT_FOUND"]);
    const secret = await details(page, "String", "secret", "mine");
    assert.deepEqual([secret.value, secret.errorCode], ["mine", "FLAG_NOT_FOUND"], "it is for servers alone");
    const mistaken = await details(page, "Boolean", "text", true);
    assert.deepEqual([mistaken.value, mistaken.errorCode], [true, "TYPE_MISMATCH"]);

    // A change is told by the stream, and fetched.
    await act("text", "pause");
    await until("the page hears of the change", async () =>
      (await page.evaluate(() => events)).some((event) => event.name === "PROVIDER_CONFIGURATION_CHANGED"));
    const paused = await details(page, "String", "text", "");
    assert.deepEqual([paused.variant, paused.reason], ["control", "DISABLED"]);
    assert.match(answers.at(-1).told, /^[0-9a-f]{16}$/, "it says what it was told of");
    await page.close();

    // The next page shows its copy at once, and asks whether it is still right.
    answers.length = 0;
    const [second] = await open({}, ann);
    const copied = await details(second, "String", "text", "");
    assert.equal(copied.value, "Free returns");
    await until("the copy is confirmed", () => answers.some((answer) => answer.status === 304));
    assert.match(answers[0].condition, /^"[0-9a-f]+"$/, "the ETag was read through CORS");
    // It listens although the 304 had no address.
    await act("text", "start");
    await until("the second page hears of the change", async () =>
      (await details(second, "String", "text", "")).reason === "SPLIT");
    await second.close();

    // Polling, without a stream.
    answers.length = 0;
    const [polling] = await open({ changeDetection: "polling", pollInterval: 200 }, { targetingKey: "bob" });
    await until("it is asked again and again, and nothing is new", () =>
      answers.filter((answer) => answer.status === 304).length >= 2);
    await act("text", "pause");
    await until("the change is polled", async () =>
      (await details(polling, "String", "text", "")).reason === "DISABLED");
    await polling.close();

    // Without a targeting key, and with a wrong key.
    const [, nobody] = await open({ cacheMode: "disabled" });
    assert.match(nobody, /status: 400/);
    await until("it is told why", () => answers.at(-1).word === "TARGETING_KEY_MISSING");
    const [, stranger] = await open({ headers: [["Authorization", "Bearer nobody"]] }, ann);
    assert.match(stranger, /unauthorized/i);
  },

  async origins() {
    await setOrigins(["https://shop.example", origin]);
    const [page, failed] = await open({ cacheMode: "disabled" }, ann);
    assert.equal(failed, undefined);
    assert.equal((await details(page, "String", "text", "")).value, "Free returns");
    await act("text", "pause");
    await until("the page hears of the change", async () =>
      (await details(page, "String", "text", "")).reason === "DISABLED");
    await page.close();
    answers.length = 0;
    await setOrigins(["https://shop.example"]);
    const [, stranger] = await open({ cacheMode: "disabled" }, ann);
    assert.match(stranger, /Failed to fetch/, "the browser does not even ask");
    assert.deepEqual(answers, []);
  },

  async limited() {
    const options = { changeDetection: "polling", pollInterval: 30, cacheMode: "disabled" };
    const [page, failed] = await open(options, ann);
    assert.equal(failed, undefined);
    const refused = () => answers.findIndex((answer) => answer.status === 429);
    await until("it is turned away", () => refused() >= 0);
    await until("it asks again", () => answers.length > refused() + 1);
    assert.notEqual(answers[refused() + 1].status, 429, "it asks again only once it is served");
    const events = await page.evaluate(() => events);
    assert.ok(events.some((event) => event.name === "PROVIDER_STALE"), JSON.stringify(events));
  },
};
try {
  await modes[mode]();
  console.log(`${answers.length} answers at the end`);
} finally {
  await browser.close();
  shop.close();
  shop.closeAllConnections();
}
