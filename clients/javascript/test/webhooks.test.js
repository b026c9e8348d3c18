import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";

import { Hookgate, HookgateError, webhooks as environments } from "hookgate-client";
import { ID, KEY, start, TIME, WEBHOOK } from "./gateway.js";

const NOON = new Date("2026-11-26T12:00:00+01:00");

async function started(t) {
  const gateway = await start(t);
  const { webhooks } = new Hookgate({ url: gateway.url, apiKey: KEY });
  const asked = () => {
    const { method, path, query, body } = gateway.asked.at(-1);
    return { asked: `${method} ${path}`, query, body };
  };
  return { gateway, webhooks, asked };
}

test("a webhook is created and has its secret", async (t) => {
  const { gateway, webhooks, asked } = await started(t);
  const webhook = await webhooks.createWebhook({ url: "https://a.com/x", events: ["match.*"], description: undefined });
  assert.deepEqual(asked(), { asked: "POST /webhooks", query: {}, body: { url: "https://a.com/x", events: ["match.*"] } });
  assert.deepEqual([webhook.url, webhook.secret], ["https://a.com/x", "whsec_bWFkZSB1cA=="]);
  const { authorization, "content-type": type } = gateway.asked[0].headers;
  assert.deepEqual([authorization, type], ["Bearer hgk_test", "application/json"]);
});

test("all that can be said of a webhook is sent", async (t) => {
  const { webhooks, asked } = await started(t);
  await webhooks.createWebhook({
    url: "https://a.com", events: "one", secret: "s", description: "Grüße", customHeaders: { "X-A": "b" },
    rateLimitPerMinute: 60, sources: ["github"], keyPair: true,
  });
  assert.deepEqual(asked().body, {
    url: "https://a.com", events: ["one"], secret: "s", description: "Grüße", custom_headers: { "X-A": "b" },
    rate_limit_per_minute: 60, sources: ["github"], key_pair: true,
  });
});

test("a webhook is read", async (t) => {
  const { webhooks, asked } = await started(t);
  const webhook = await webhooks.getWebhook(ID);
  assert.deepEqual(asked(), { asked: `GET /webhooks/${ID}`, query: {}, body: undefined });
  assert.deepEqual(webhook, {
    id: ID, url: "https://example.com/hooks", description: null, events: ["video.processed", "match.*"], sources: ["*"],
    isActive: true, disabledReason: null, pausedUntil: new Date(TIME), rateLimitPerMinute: null,
    customHeaders: { "x_token-at": "t0ken" }, publicKey: null,
    totalDeliveries: 3, successfulDeliveries: 2, failedDeliveries: 1,
    lastDeliveryAt: new Date(TIME), lastSuccessAt: new Date(TIME), lastFailureAt: null, createdAt: new Date(TIME), updatedAt: new Date(TIME),
  });
});

test("webhooks are listed", async (t) => {
  const { webhooks, asked } = await started(t);
  assert.deepEqual((await webhooks.listWebhooks()).map(({ id }) => id), [ID, ID]);
  assert.deepEqual(asked(), { asked: "GET /webhooks", query: {}, body: undefined });
  await webhooks.listWebhooks({ isActive: false });
  assert.deepEqual(asked().query, { is_active: "false" });
});

test("what is given is changed", async (t) => {
  const { webhooks, asked } = await started(t);
  const webhook = await webhooks.updateWebhook(ID, { isActive: false, rateLimitPerMinute: null, events: "x.*", url: undefined });
  const body = { is_active: false, rate_limit_per_minute: null, events: ["x.*"] };
  assert.deepEqual(asked(), { asked: `PATCH /webhooks/${ID}`, query: {}, body });
  assert.equal(webhook.isActive, false);
});

test("a secret is replaced and not told", async (t) => {
  const { webhooks, asked } = await started(t);
  const webhook = await webhooks.updateWebhook(ID, { secret: "s3cret" });
  assert.deepEqual(asked(), { asked: `PATCH /webhooks/${ID}`, query: {}, body: { secret: "s3cret" } });
  assert.equal("secret" in webhook, false);
});

test("a webhook is deleted", async (t) => {
  const { webhooks, asked } = await started(t);
  assert.equal(await webhooks.deleteWebhook(ID), undefined);
  assert.equal(asked().asked, `DELETE /webhooks/${ID}`);
});

test("a secret is rotated", async (t) => {
  const { webhooks, asked } = await started(t);
  assert.equal((await webhooks.rotateSecret(ID)).secret, "new");
  assert.deepEqual(asked(), { asked: `POST /webhooks/${ID}/rotate`, query: {}, body: {} });
  assert.equal((await webhooks.rotateSecret(ID, { secret: "mine", graceS: 0 })).secret, "mine");
  assert.deepEqual(asked().body, { secret: "mine", grace_s: 0 });
});

test("a webhook is tried out", async (t) => {
  const { webhooks, asked } = await started(t);
  const result = await webhooks.testWebhook(ID, "match.found", { confidence: 1 });
  assert.deepEqual(asked().body, { event_type: "match.found", test_data: { confidence: 1 } });
  assert.deepEqual(result, { success: false, statusCode: 500, responseBody: "oh", errorMessage: "it said 500", durationMs: 8 });
});

test("deliveries are filtered", async (t) => {
  const { webhooks, asked } = await started(t);
  const filter = { status: "dead", eventType: "match.*", since: NOON, until: NOON, limit: 3, before: "evt_5" };
  const page = await webhooks.deliveries(ID, filter);
  const time = "2026-11-26T11:00:00.000Z";
  const query = { status: "dead", event_type: "match.*", since: time, until: time, limit: "3", before: "evt_5" };
  assert.deepEqual(asked(), { asked: `GET /webhooks/${ID}/deliveries`, query, body: undefined });
  assert.deepEqual(page.map(({ eventId }) => eventId), ["evt_4", "evt_3", "evt_2"]);
  assert.deepEqual(page[0], {
    id: `evt_4:${ID}`, webhookId: ID, eventId: "evt_4", eventType: "match.found", status: "done", attempts: 1,
    createdAt: new Date(TIME), nextAttemptAt: null,
    history: [{
      number: 1, startedAt: new Date(TIME), durationMs: 12.5, outcome: "done", statusCode: 200, responseBody: "thanks", errorMessage: null,
    }],
  });
});

test("all deliveries are read page by page", async (t) => {
  const { gateway, webhooks } = await started(t);
  const found = [];
  for await (const { eventId } of webhooks.allDeliveries(ID, { status: "done" })) found.push(eventId);
  assert.deepEqual(found, ["evt_6", "evt_5", "evt_4", "evt_3", "evt_2", "evt_1"]);
  const queries = gateway.asked.map(({ query }) => query);
  assert.deepEqual(queries, [{ status: "done" }, { status: "done", before: "evt_4" }, { status: "done", before: "evt_1" }]);
});

test("stats and types are read", async (t) => {
  const { webhooks } = await started(t);
  const { successRate, attempts, failingSince, lastSuccessAt } = await webhooks.stats(ID);
  assert.deepEqual([successRate, attempts, failingSince, lastSuccessAt], [1, 4, null, new Date(TIME)]);
  assert.deepEqual(await webhooks.eventTypes(), ["match.found", "video.processed"]);
});

test("events are redelivered", async (t) => {
  const { webhooks, asked } = await started(t);
  assert.equal(await webhooks.redeliver(ID, "evt_1m8"), 1);
  assert.equal(asked().asked, `POST /webhooks/${ID}/deliveries/evt_1m8/redeliver`);
  assert.equal(await webhooks.redeliverSince(ID, NOON), 5);
  assert.deepEqual(asked().body, { since: "2026-11-26T11:00:00.000Z" });
  await webhooks.redeliverSince(ID, NOON, NOON);
  assert.equal(asked().body.until, "2026-11-26T11:00:00.000Z");
});

test("what makes no sense is not sent", async (t) => {
  const { gateway, webhooks } = await started(t);
  const wrong = [
    () => webhooks.createWebhook({ url: "https://a.com", events: [], isActive: true }),
    () => webhooks.updateWebhook(ID, { keyPair: true }),
    () => webhooks.updateWebhook(ID, { constructor: "s" }),
    () => webhooks.listWebhooks({ is_active: true }),
    () => webhooks.allDeliveries(ID, { before: "evt_1" }).next(),
    () => webhooks.redeliverSince(ID, "2026-11-26"),
    () => webhooks.redeliverSince(ID, new Date(NaN)),
    ...["", ".", "..", "a/b", "a?b", "a%2fb", "ü", undefined, null].map((id) => () => webhooks.deleteWebhook(id)),
  ];
  for (const call of wrong) await assert.rejects(call, TypeError);
  assert.deepEqual(gateway.asked, []);
});

test("the environment names the gateway of the module", async (t) => {
  const { gateway } = await started(t);
  const before = { ...process.env };
  t.after(() => Object.assign(process.env, { HOOKGATE_URL: "", HOOKGATE_API_KEY: "" }, before));
  process.env.HOOKGATE_URL = "";
  await assert.rejects(environments.listWebhooks(), { name: "TypeError", message: /HOOKGATE_URL/ });
  Object.assign(process.env, { HOOKGATE_URL: `${gateway.url}/`, HOOKGATE_API_KEY: KEY });
  const webhook = await environments.createWebhook({ url: "https://a.com", events: ["video.processed", "match.found"], secret: "s" });
  assert.equal(webhook.secret, "s");
});

test("no secret is shown", async (t) => {
  const { webhooks } = await started(t);
  const webhook = await webhooks.createWebhook({ url: "https://a.com", events: "x", secret: "s3cret" });
  for (const shown of [inspect(webhook), inspect({ list: [webhook] }, { depth: 9 })]) {
    assert.match(shown, /https:\/\/a.com[^]*\(hidden\)/);
    assert.doesNotMatch(shown, /s3cret|t0ken/);
  }
  assert.doesNotMatch(inspect(await webhooks.getWebhook(ID)), /secret/);
  assert.equal(JSON.parse(JSON.stringify(webhook)).secret, "s3cret");
});

test("what is no answer of the gateway is an error", async (t) => {
  const { gateway, webhooks } = await started(t);
  const calls = [
    ...[{}, [], "null", "5", '"x"', "<html>", "", { ...WEBHOOK, created_at: "soon" }].map((body) => [body, () => webhooks.getWebhook(ID)]),
    ...[{ x: 1 }, [{}], "null"].map((body) => [body, () => webhooks.listWebhooks()]),
    [[{ id: "e", event_id: "e", history: null, created_at: TIME }], () => webhooks.deliveries(ID)],
    [{ events: null }, () => webhooks.eventTypes()],
    ["null", () => webhooks.redeliver(ID, "e")],
  ];
  for (const [body, call] of calls) {
    gateway.next = [[200, body]];
    await assert.rejects(call, (error) => error instanceof HookgateError && /not from Hookgate/.test(error.message));
  }
});
