import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { plugin, Retry } from "hookgate-plugin";
import { frameio, FrameioError } from "hookgate-plugin/frameio";
import { event, respond, run } from "hookgate-plugin/testing";

const FILE = "https://api.frame.io/v4/accounts/acc-1/files/file_2";
const hosts = { "api.frame.io": { methods: ["GET", "POST"], credential: "bearer" } };

/** Runs a handler that asks Frame.io, which gives this answer. */
function asking(handler, answer) {
  return run(plugin({ name: "p", version: "1", hosts, on: { "*": handler } }), event("x"), { http: () => answer });
}

const show = () => frameio().files.show("acc-1", "file_2");

test("a comment is made as Frame.io documents it", async () => {
  const comment = async () => {
    const { id } = await frameio().comments.create("acc-1", "file_2", "grüße");
    console.log(id);
  };
  const { outcome, logs, requests } = await asking(comment, { status: 201, body: { data: { id: "c3" } } });
  assert.deepEqual([outcome, logs], ["done", ["info: c3"]]);
  const [{ method, url, headers, body }] = requests;
  assert.deepEqual([requests.length, method, url], [1, "POST", `${FILE}/comments`]);
  assert.deepEqual([...headers], [["accept", "application/json"], ["content-type", "application/json"]]);
  assert.equal(new TextDecoder().decode(body), '{"data":{"text":"grüße"}}');
});

test("a file is shown", async () => {
  const { logs, requests: [{ method, url, headers, body }] } = await asking(async () => console.log((await show()).name), { body: { data: { name: "a.mov" } } });
  assert.deepEqual([logs, method, url, [...headers], body.length], [["info: a.mov"], "GET", FILE, [["accept", "application/json"]], 0]);
});

test("another place is asked where the plugin says so", async () => {
  const local = plugin({ name: "p", version: "1", hosts: ["127.0.0.1"], on: { "*": () => frameio({ baseUrl: "https://127.0.0.1:9/x/" }).files.show("a", "f") } });
  const { requests: [{ url }] } = await run(local, event("x"), { http: () => ({ body: { data: {} } }) });
  assert.equal(url, "https://127.0.0.1:9/x/v4/accounts/a/files/f");
});

test("each answer has its outcome", async () => {
  const clock = mock.method(Date, "now", () => Date.UTC(2026, 0, 1));
  const told = (status) => `Frame.io answered ${status} to GET /v4/accounts/acc-1/files/file_2`;
  const after = (value) => ({ status: 429, headers: { "retry-after": value } });
  const table = [
    [{ status: 401, body: "no\n" }, "retry", `${told(401)}: no`],
    [{ status: 403 }, "retry", told(403)],
    [{ status: 404 }, "reject", told(404)],
    [{ status: 422, body: { errors: [] } }, "reject", `${told(422)}: {"errors":[]}`],
    [{ status: 429 }, "retry", told(429)],
    [after("90"), "retry", told(429), 90_000],
    [after("Thu, 01 Jan 2026 00:02:00 GMT"), "retry", told(429), 120_000],
    [after("Wed, 31 Dec 2025 00:00:00 GMT"), "retry", told(429), 0],
    [after("soon"), "retry", told(429)],
    [after("9".repeat(30)), "retry", told(429)],
    [{ status: 500, body: "x".repeat(999) }, "retry", `${told(500)}: ${"x".repeat(200)}`],
    [{ status: 503, headers: { "Retry-After": "5" } }, "retry", told(503), 5000],
    [{ status: 302 }, "retry", told(302)],
    [{ body: "<html>" }, "retry", "Frame.io answered 200 without data: <html>"],
    [{ body: "null" }, "retry", "Frame.io answered 200 without data: null"],
    [{ body: { data: null } }, "retry", 'Frame.io answered 200 without data: {"data":null}'],
    [undefined, "retry", `fetch failed: the test has no answer to GET ${FILE}: give it in \`http\``],
  ];
  for (const [answer, expected, reason, wait] of table) {
    const { outcome, why, afterMs, logs } = await asking(show, answer);
    assert.deepEqual([outcome, why, afterMs, logs], [expected, reason, wait, []]);
  }
  clock.mock.restore();
});

test("an error tells its kind", async () => {
  const kinds = [[401, "unauthorized"], [403, "unauthorized"], [404, "not_found"], [400, "refused"], [302, "garbled"], [200, "garbled"]];
  for (const [status, kind] of kinds) {
    let caught;
    await asking(() => show().catch((error) => { caught = error; }), { status });
    assert.ok(caught instanceof FrameioError);
    assert.deepEqual([caught.name, caught.kind, caught.status], ["FrameioError", kind, status]);
  }
  let busy;
  await asking(() => show().catch((error) => { busy = error; }), { status: 429, headers: { "retry-after": "1" } });
  assert.ok(busy instanceof Retry);
});

test("an id leads nowhere else", async () => {
  for (const id of [undefined, "", "..", "a/b", "a?b", "a%2fb", 5]) {
    const { outcome, requests } = await asking(() => frameio().files.show("acc-1", id), { body: { data: {} } });
    assert.deepEqual([outcome, requests], ["reject", []], `${id}`);
  }
  const { why } = await asking((event) => frameio().files.show(event.accountId, "f"), {});
  assert.equal(why, "an account is named by its id, and there is none");
});

test("a custom action is answered with a message or a form", async () => {
  const shown = async (answer) => {
    const { answer: given } = await respond(plugin({ name: "p", version: "1", respond: { "*": () => answer } }), event("x"));
    return [given.status, given.headers.get("content-type"), await given.json()];
  };
  const message = { title: "Done", description: "It was filed." };
  assert.deepEqual(await shown(frameio.message(message)), [200, "application/json", message]);
  const fields = [
    { type: "text", label: "Name", name: "name", value: "x" },
    { type: "select", label: "Where to", name: "where", options: [{ name: "Here", value: "here" }] },
    { type: "boolean", label: "Sure", name: "sure", value: false },
  ];
  assert.deepEqual(await shown(frameio.form({ ...message, fields })), [200, "application/json", { ...message, fields }]);
});

test("what Frame.io would not show is a mistake", () => {
  const field = { type: "text", label: "l", name: "n" };
  const form = (fields) => () => frameio.form({ title: "t", description: "d", fields });
  const table = [
    [() => frameio.message({ title: "t" }), "a description is not a string"],
    [form(undefined), "a form has fields"],
    [form([]), "a form has fields"],
    [form([{ ...field, type: "date" }]), "a field's type is one of text, textarea, select, boolean, link, and not date"],
    [form([{ ...field, type: "select" }]), "the field `n` has no options to select from"],
    [form([{ ...field, name: undefined }]), "a name is not a string"],
  ];
  for (const [code, message] of table) assert.throws(code, new TypeError(message));
});
