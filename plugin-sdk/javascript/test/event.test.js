import assert from "node:assert/strict";
import { test } from "node:test";

import { Reject } from "hookgate-plugin";
import { event } from "hookgate-plugin/testing";

test("a made-up event is a first attempt of the source `test`", () => {
  const { id, source, provider, type, receivedAt, attempt, payload } = event("file.ready");
  assert.deepEqual([id, source, provider, type, attempt], ["evt_0000000000000", "test", "test", "file.ready", 1]);
  assert.equal(receivedAt.toISOString(), "2026-01-01T00:00:00.000Z");
  assert.deepEqual(payload, new Uint8Array(0));
});

test("attributes have shortcuts, and what is missing is undefined", () => {
  const ids = { "resource.id": "r", "resource.type": "file", "account.id": "a", "user.id": "u", "project.id": "p", "workspace.id": "w" };
  const full = event("x", { attributes: { ...ids, custom: "c" } });
  assert.deepEqual([full.resourceId, full.resourceType, full.accountId], ["r", "file", "a"]);
  assert.deepEqual([full.userId, full.projectId, full.workspaceId, full.attribute("custom")], ["u", "p", "w", "c"]);
  const empty = event("x");
  assert.deepEqual([empty.resourceId, empty.attribute("absent"), empty.attribute("constructor")], [undefined, undefined, undefined]);
});

test("a body is bytes, text and JSON", () => {
  assert.deepEqual(event("x", { json: { a: "ü" } }).json(), { a: "ü" });
  assert.equal(event("x", { payload: "\ufeffgrüße 日本 🎬" }).text(), "\ufeffgrüße 日本 🎬");
  assert.deepEqual(event("x", { payload: Uint8Array.of(255) }).payload, Uint8Array.of(255));
});

test("a body that is neither is rejected", () => {
  assert.throws(() => event("x", { payload: Uint8Array.of(0xff) }).text(), new Reject("the body is not UTF-8"));
  assert.throws(() => event("x", { payload: "{" }).json(), (error) => error instanceof Reject && /^the body is not JSON: /.test(error.message));
});

test("the log shows the size of a body in its place", () => {
  assert.equal(JSON.parse(JSON.stringify(event("x", { payload: "abc" }))).payloadBytes, 3);
});
