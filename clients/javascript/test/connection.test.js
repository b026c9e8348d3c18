import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { inspect } from "node:util";

import { Conflict, Hookgate, HookgateError, Invalid, NotFound, Unauthorized, Unavailable } from "hookgate-client";
import { ID, KEY, start } from "./gateway.js";

delete process.env.HOOKGATE_URL;
delete process.env.HOOKGATE_API_KEY;

/** What a call is rejected with, where the gateway answers so. */
async function failure(gateway, answer, options) {
  gateway.next = [answer];
  const { webhooks } = new Hookgate({ url: gateway.url, apiKey: KEY, ...options });
  return webhooks.getWebhook(ID).then(() => assert.fail("it worked"), (error) => error);
}

test("what is missing is named", () => {
  assert.throws(() => new Hookgate(), { name: "TypeError", message: /HOOKGATE_URL/ });
  assert.throws(() => new Hookgate({ url: "http://h" }), { name: "TypeError", message: /HOOKGATE_API_KEY/ });
});

test("an address is one of HTTP", () => {
  for (const url of ["h", "ftp://h", "http://", "http://u:p4ss@h", "http://h/?x", "http://h/#x", "http://h h", "http://h:x"]) {
    assert.throws(() => new Hookgate({ url, apiKey: "k" }), (error) => error instanceof TypeError && !inspect(error).includes("p4ss"));
  }
  assert.ok(new Hookgate({ url: "https://h:8443/path/", apiKey: "k" }));
});

test("a key that is none is not shown", () => {
  for (const apiKey of ["hgk_s3cret\n", "hgk s3cret", "hgk_s3cretü"]) {
    const isTold = (error) => /API key/.test(error.message) && !error.message.includes("s3cret");
    assert.throws(() => new Hookgate({ url: "http://h", apiKey }), isTold);
  }
});

test("a timeout is some time", () => {
  for (const timeoutS of [0, -1, NaN, Infinity, "x"]) {
    assert.throws(() => new Hookgate({ url: "http://h", apiKey: "k", timeoutS }), { name: "TypeError", message: /timeout/ });
  }
});

test("the key is not shown", async (t) => {
  const gateway = await start(t);
  const client = new Hookgate({ url: gateway.url, apiKey: "hgk_s3cret" });
  const error = await client.webhooks.listWebhooks().catch((error) => error);
  assert.ok(error instanceof Unauthorized);
  for (const shown of [client, client.webhooks, client.events, error, await failure(gateway, "hang up", { apiKey: "hgk_s3cret" })]) {
    assert.doesNotMatch(inspect(shown, { depth: 9, showHidden: true }), /s3cret/);
  }
});

test("each status has its class", async (t) => {
  const gateway = await start(t);
  const table = [
    [400, Invalid], [401, Unauthorized], [403, Unauthorized], [404, NotFound], [408, Unavailable], [409, Conflict],
    [413, HookgateError], [415, HookgateError], [422, Invalid], [500, HookgateError], [503, Unavailable],
  ];
  for (const [status, Kind] of table) {
    const error = await failure(gateway, [status, { error: "a sentence" }]);
    assert.deepEqual([error.constructor, error.name, error.status, error.message], [Kind, Kind.name, status, "a sentence"]);
  }
});

test("a wait that is asked for is told", async (t) => {
  const gateway = await start(t);
  const table = [["7", 7], ["0", 0], ["9".repeat(400), Infinity]];
  for (const text of ["", "-1", "1.5", "soon", "²", "Thu, 26 Nov 2026 05:03:09 GMT"]) table.push([text, undefined]);
  for (const [text, told] of table) {
    const error = await failure(gateway, [503, {}, { "retry-after": text }]);
    assert.equal(error.retryAfterS, told, text);
  }
  assert.equal((await failure(gateway, [503, {}])).retryAfterS, undefined);
  assert.equal((await failure(gateway, "hang up")).retryAfterS, undefined);
});

test("an error without a sentence is told", async (t) => {
  const gateway = await start(t);
  for (const body of ["<html>", "", "null", { error: 5 }, [1], {}]) {
    const { message } = await failure(gateway, [502, body]);
    assert.equal(message, `the gateway answered 502 to GET /api/v1/webhooks/${ID}`);
  }
});

test("redirects are not followed", async (t) => {
  const [gateway, other] = [await start(t), await start(t)];
  const error = await failure(gateway, [307, "", { location: `${other.url}/api/v1/webhooks` }]);
  assert.deepEqual([error.status, other.asked], [307, []]);
});

test("no answer is unavailable", async (t) => {
  const gateway = await start(t);
  const error = await failure(gateway, "hang up");
  assert.deepEqual([error.constructor, error.status, error.cause instanceof Error], [Unavailable, undefined, true]);

  const silent = createServer((socket) => socket.on("error", () => {}).resume()).listen(0, "127.0.0.1");
  await once(silent, "listening");
  const url = `http://127.0.0.1:${silent.address().port}`;
  const client = new Hookgate({ url, apiKey: KEY, timeoutS: 0.05 });
  await assert.rejects(client.webhooks.listWebhooks(), { name: "Unavailable", message: /timeout/ });
  silent.close();
  await once(silent, "close");
  await assert.rejects(client.webhooks.listWebhooks(), { name: "Unavailable", message: /ECONNREFUSED/ });
});
