// A node server that tells what it showed, by the hook of examples/openfeature-hook.
//
//   exposure_server.mjs URL KEY ADMIN_KEY HOOK
import assert from "node:assert/strict";
import { OpenFeature } from "@openfeature/server-sdk";
import { OFREPProvider } from "@openfeature/ofrep-provider";
import { Analytics } from "@segment/analytics-node";

const [url, key, adminKey, hook] = process.argv.slice(2);
const { exposureHook } = await import(hook);
const analytics = new Analytics({ host: url, writeKey: key });
analytics.on("error", (fault) => assert.fail(String(fault.reason ?? fault)));
const provider = new OFREPProvider({ baseUrl: url, headers: [["Authorization", `Bearer ${key}`]] });
await OpenFeature.setProviderAndWait(provider);
OpenFeature.addHooks(exposureHook((event, properties, userId) => analytics.track({ event, properties, userId })));
const client = OpenFeature.getClient();

async function api(path) {
  const answer = await fetch(`${url}/api/v1${path}`, { headers: { Authorization: `Bearer ${adminKey}` } });
  assert.equal(answer.status, 200, path);
  return answer.json();
}

const shown = {};
for (let n = 0; n < 5; n += 1) {
  for (const unit of ["ann", "bob"]) {
    const { variant } = await client.getStringDetails("banner", "", { targetingKey: unit });
    (shown[unit] ??= new Set()).add(variant);
    for (const flag of ["draft", "nobody-knows"]) await client.getStringDetails(flag, "", { targetingKey: unit });
  }
}
assert.deepEqual(Object.values(shown).map((variants) => variants.size), [1, 1]);
await analytics.closeAndFlush({ timeout: 60_000 });
const { data } = await api("/events?status=accepted&name=Experiment%20Viewed&limit=500");
assert.deepEqual(data.map((event) => event.unit).sort(), ["ann", "bob"], "each is told of once");
const { metrics } = await api("/experiments/banner/report");
assert.equal(metrics[0].variants.reduce((sum, variant) => sum + variant.units, 0), 2);

// A tracker that fails costs nobody the value.
OpenFeature.clearHooks();
OpenFeature.addHooks(exposureHook(() => { throw new Error("the tracker is away"); }));
const details = await client.getStringDetails("banner", "", { targetingKey: "carl" });
assert.equal(details.reason, "SPLIT");
await OpenFeature.close();
