import assert from "node:assert/strict";
import { syncBuiltinESMExports } from "node:module";
import { beforeEach, mock, test } from "node:test";
import timers from "node:timers/promises";

import { Hookgate, Invalid, Unavailable } from "hookgate-client";
import { KEY, start } from "./gateway.js";

const BUSY = [503, { error: "the disk is full" }];

// Nobody waits for a test.
const sleep = mock.method(timers, "setTimeout", async () => {});
syncBuiltinESMExports();
beforeEach(() => sleep.mock.resetCalls());

function waitsMs() {
  return sleep.mock.calls.map((call) => call.arguments[0]);
}

async function started(t) {
  const gateway = await start(t);
  const keys = () => new Set(gateway.asked.map(({ headers }) => headers["idempotency-key"]));
  return { gateway, keys, events: new Hookgate({ url: gateway.url, apiKey: KEY }).events };
}

test("an event is published", async (t) => {
  const { gateway, events } = await started(t);
  const resource = { id: "123", type: "match" };
  assert.deepEqual(await events.publish("match.found", { a: 1 }, { resource }), { id: "evt_0", duplicate: false });
  const [{ method, path, body }] = gateway.asked;
  assert.deepEqual([method, path, body], ["POST", "/events", { type: "match.found", data: { a: 1 }, resource }]);
  assert.deepEqual(waitsMs(), []);
});

test("data may be null", async (t) => {
  const { gateway, events } = await started(t);
  await events.publish("x", null);
  assert.deepEqual(gateway.asked[0].body, { type: "x", data: null });
});

test("each call has a key of its own", async (t) => {
  const { gateway, keys, events } = await started(t);
  await events.publish("x", {});
  await events.publish("x", {});
  assert.deepEqual([keys().size, gateway.published.size], [2, 2]);
});

test("an id of the caller's is the key", async (t) => {
  const { gateway, keys, events } = await started(t);
  assert.equal((await events.publish("x", {}, { id: "Bestellung ü" })).duplicate, false);
  assert.equal((await events.publish("x", {}, { id: "Bestellung ü" })).duplicate, true);
  assert.deepEqual(gateway.asked.map(({ body }) => body.id), ["Bestellung ü", "Bestellung ü"]);
  assert.deepEqual([...keys()], [undefined]);
});

test("a retry makes no second event", async (t) => {
  const { gateway, keys, events } = await started(t);
  // The first is lost on its way back: the gateway has made it.
  gateway.next = ["hang up", BUSY];
  assert.deepEqual(await events.publish("x", {}), { id: "evt_0", duplicate: true });
  assert.deepEqual([gateway.asked.length, keys().size, gateway.published.size], [3, 1, 1]);
  assert.deepEqual(waitsMs(), [500, 1000]);
});

test("it waits as it is asked to and no longer than ten seconds", async (t) => {
  const { gateway, events } = await started(t);
  const busy = (text) => [...BUSY, { "retry-after": text }];
  gateway.next = ["3", "1", "86400"].map(busy);
  assert.deepEqual(await events.publish("x", {}), { id: "evt_0", duplicate: false });
  assert.deepEqual(waitsMs(), [3000, 1000, 10_000]);
  sleep.mock.resetCalls();
  gateway.next = ["0", "soon", "1"].map(busy);
  await events.publish("x", {});
  assert.deepEqual(waitsMs(), [500, 1000, 2000]);
});

test("a gateway that took too long is asked again", async (t) => {
  const { gateway, events } = await started(t);
  gateway.next = [[408, { error: "took too long" }]];
  assert.deepEqual(await events.publish("x", {}), { id: "evt_0", duplicate: false });
  assert.deepEqual(waitsMs(), [500]);
});

test("it is given up in the end", async (t) => {
  const { gateway, events } = await started(t);
  gateway.next = [BUSY, BUSY, BUSY, BUSY, BUSY];
  const error = await events.publish("x", {}).catch((error) => error);
  assert.deepEqual([error.constructor, error.status, error.message], [Unavailable, 503, "the disk is full"]);
  assert.deepEqual([gateway.asked.length, waitsMs()], [4, [500, 1000, 2000]]);
});

test("what is wrong is not tried again", async (t) => {
  const { gateway, events } = await started(t);
  gateway.next = [[422, { error: "`type` is a word" }]];
  await assert.rejects(events.publish("a b", {}), (error) => error instanceof Invalid && error.message === "`type` is a word");
  await assert.rejects(events.publish("x", 5n), TypeError);
  assert.equal(gateway.asked.length, 1);
});
