// What a node server gets through @openfeature/ofrep-provider: values of all types, reasons, errors, and the pause
// after too many requests.
//
//   ofrep_server.mjs URL KEY          against the flags of tests/it/clients_ofrep.rs
//   ofrep_server.mjs URL KEY limited  against a server that allows one evaluation a second
import assert from "node:assert/strict";
import { OpenFeature } from "@openfeature/server-sdk";
import { OFREPProvider } from "@openfeature/ofrep-provider";

const [url, key, mode] = process.argv.slice(2);
let requests = 0;
const statuses = [];
const asked = async (...request) => {
  requests += 1;
  const response = await fetch(...request);
  statuses.push(response.status);
  return response;
};
const provider = new OFREPProvider({
  baseUrl: url,
  headers: [["Authorization", `Bearer ${key}`]],
  fetchImplementation: asked,
});
await OpenFeature.setProviderAndWait(provider);
const client = OpenFeature.getClient();
const ann = { targetingKey: "ann", "shop.country": "NL" };

const modes = {
  async undefined() {
    const cases = [
      ["boolean", client.getBooleanDetails("boolean", false, ann), true],
      ["text", client.getStringDetails("text", "", ann), "Free returns"],
      ["integer", client.getNumberDetails("integer", 0, ann), 7],
      ["float", client.getNumberDetails("float", 0, ann), 8],
      ["object", client.getObjectDetails("object", {}, ann), { layout: "wide", columns: [1, 2.5] }],
    ];
    for (const [flag, answer, value] of cases) {
      const details = await answer;
      assert.equal(details.errorCode, undefined, `${flag}: ${details.errorMessage}`);
      assert.deepEqual(details.value, value, flag);
      assert.equal(details.reason, "SPLIT", flag);
      assert.match(details.variant, /^(control|other)$/, flag);
      assert.equal(details.flagMetadata.experimentId, flag);
      assert.equal(details.flagMetadata.version, 1);
      assert.equal(details.flagMetadata.propensity, 0.5);
      assert.equal(details.flagMetadata.degraded, false);
      assert.match(details.flagMetadata.contextId, /^[0-9a-f]{32}$/);
      assert.match(details.flagMetadata.decisionId, /^[0-9a-f-]{36}$/);
      // The token comes back as an attribute.
      const again = await client.getObjectDetails("object", {}, {
        ...ann,
        podium_sticky: details.flagMetadata.sticky,
      });
      assert.equal(again.errorCode, undefined);
    }
    const draft = await client.getStringDetails("draft", "", ann);
    assert.deepEqual([draft.value, draft.variant, draft.reason], ["a draft", "control", "DISABLED"]);
    const concluded = await client.getStringDetails("concluded", "", ann);
    assert.deepEqual([concluded.value, concluded.reason], ["the winner", "STATIC"]);
    const unknown = await client.getStringDetails("nobody-knows", "mine", ann);
    assert.deepEqual([unknown.value, unknown.reason, unknown.errorCode], ["mine", "ERROR", "FLAG_NOT_FOUND"]);
    const mistaken = await client.getBooleanDetails("text", true, ann);
    assert.deepEqual([mistaken.value, mistaken.errorCode], [true, "TYPE_MISMATCH"]);
    const nobody = await client.getStringDetails("text", "mine", {});
    assert.deepEqual([nobody.value, nobody.errorCode], ["mine", "TARGETING_KEY_MISSING"]);
    const wrong = new OFREPProvider({
      baseUrl: url,
      headers: [["X-API-Key", "nobody"]],
      fetchImplementation: asked,
    });
    await OpenFeature.setProviderAndWait("stranger", wrong);
    const stranger = await OpenFeature.getClient("stranger").getStringDetails("text", "mine", ann);
    assert.deepEqual([stranger.value, stranger.errorCode], ["mine", "GENERAL"]);
    assert.equal(statuses.at(-1), 401);
  },

  async limited() {
    let refused;
    for (let n = 0; n < 30 && !refused; n += 1) {
      const details = await client.getStringDetails("text", "mine", ann);
      if (details.errorCode) refused = details;
    }
    assert.ok(refused, "thirty requests are too many");
    assert.match(refused.errorMessage, /rate limit exceeded, try again after /);
    const before = requests;
    for (let n = 0; n < 5; n += 1) {
      const details = await client.getStringDetails("text", "mine", ann);
      assert.deepEqual([details.value, details.errorCode], ["mine", "GENERAL"]);
      assert.match(details.errorMessage, /paused/);
    }
    assert.equal(requests, before, "no request while it is paused");
  },
};
await modes[mode]();
console.log(`${requests} requests`);
await OpenFeature.close();
