// What a plugin may do beside handling an event, with the gateway made up.

import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { plugin, PowerError, Reject, Retry } from "hookgate-plugin";
import { event, Memory, respond, run } from "hookgate-plugin/testing";

const identity = { name: "p", version: "1.0.0" };
const all = { state: true, emits: ["made.*"], hosts: ["api.example.com"] };

/** Runs one handler, which may do everything. */
function handle(handler, grants, asks = all) {
  return run(plugin({ ...identity, ...asks, on: { "*": handler } }), event("x"), grants);
}

function answer(handler, grants) {
  return respond(plugin({ ...identity, ...all, respond: { "*": handler } }), event("x"), grants);
}

/** What a handler throws, as its kind and its message. */
function told(handler) {
  try {
    handler();
    return "nothing";
  } catch (error) {
    return `${error.kind ?? error.name}: ${error.message}`;
  }
}

test("the state takes bytes, text and JSON, and gives them back", async () => {
  const { outcome, state } = await handle((_, { state }) => {
    state.set("bytes", Uint8Array.of(1, 255));
    state.set("text", "grüße");
    state.set("json", { a: [1] });
    state.set("part", new Uint8Array([1, 2, 3]).subarray(1, 2));
    assert.deepEqual(state.get("bytes"), Uint8Array.of(1, 255));
    assert.deepEqual([state.getText("text"), state.getJson("json"), state.getText("json")], ["grüße", { a: [1] }, '{"a":[1]}']);
    assert.deepEqual([state.get("none"), state.getText("none"), state.getJson("none")], [undefined, undefined, undefined]);
    state.delete("text");
    state.delete("none");
    assert.deepEqual(state.keys(), ["bytes", "json", "part"]);
  });
  assert.equal(outcome, "done");
  assert.deepEqual([state.get("part"), state.get("text")], [Uint8Array.of(2), undefined]);
});

test("what cannot be kept, or is not what it is taken for, is told", async () => {
  const { outcome } = await handle((_, { state }) => {
    state.set("bytes", Uint8Array.of(255));
    state.set("text", "{");
    assert.equal(told(() => state.getText("bytes")), "Error: what the state has under `bytes` is not UTF-8");
    assert.equal(told(() => state.getJson("text")), "Error: what the state has under `text` is not JSON");
    assert.equal(told(() => state.set("k", undefined)), "TypeError: the value is neither bytes nor text, and cannot be written as JSON");
    assert.equal(told(() => state.get(5)), "TypeError: a key is a string, and this is number");
    assert.equal(told(() => state.get("")), "invalid: a key has 1 to 512 bytes, and this has 0");
    assert.equal(told(() => state.set("ü".repeat(257), "")), "invalid: a key has 1 to 512 bytes, and this has 514");
    assert.equal(told(() => state.set("k", "", { keepMs: -1 })), "invalid: a value is kept for some time, and -1 ms is none");
    assert.equal(told(() => state.keys({ limit: 0.5 })), "invalid: there cannot be 0.5 keys");
    assert.equal(told(() => state.increment("k", 2 ** 53)), "invalid: 9007199254740992 cannot be added to a number: it is no safe integer");
    assert.equal(told(() => state.increment("text")), "invalid: what stands under this key is no number");
  });
  assert.equal(outcome, "done");
});

test("what a handler wrote is kept if it is done, and forgotten if it fails", async () => {
  const memory = new Memory({ count: 5, old: "x" });
  const counting = (end) => handle(async (_, { state }) => {
    state.increment("count");
    state.delete("old");
    assert.deepEqual([state.getText("count"), state.get("old")], ["6", undefined]);
    await end?.();
  }, { state: memory });
  const failed = await counting(() => { throw new Retry("later"); });
  assert.deepEqual([failed.outcome, failed.state.getText("count"), memory.getText("old")], ["retry", "5", "x"]);
  const done = await counting();
  assert.deepEqual([done.outcome, memory.getText("count"), memory.keys()], ["done", "6", ["count"]]);
  assert.equal(done.state, memory);
});

test("keys come in the order of their bytes, and a few at a time", async () => {
  const { outcome } = await handle((_, { state }) => {
    for (const key of ["b", "a/2", "a/10", "a/1", "a", "\u{1f3ac}", "\uff01"]) state.set(key, "");
    assert.deepEqual(state.keys(), ["a", "a/1", "a/10", "a/2", "b", "\uff01", "\u{1f3ac}"]);
    assert.deepEqual(state.keys({ prefix: "a/", limit: 2 }), ["a/1", "a/10"]);
    assert.deepEqual(state.keys({ prefix: "a/", after: "a/10" }), ["a/2"]);
    for (let key = 0; key < 1001; key++) state.set(`n${key}`, "");
    assert.equal(state.keys({ prefix: "n", limit: 5000 }).length, 1000);
  });
  assert.equal(outcome, "done");
});

test("numbers are exact", async () => {
  const { outcome } = await handle((_, { state }) => {
    assert.deepEqual([state.increment("n"), state.increment("n", 4), state.increment("n", -7)], [1, 5, -2]);
    state.set("n", 7);
    assert.equal(state.increment("n", 0), 7);
    state.set("big", String(2n ** 63n - 3n));
    assert.deepEqual([state.increment("big"), state.getText("big")], [2n ** 63n - 2n, "9223372036854775806"]);
    assert.equal(told(() => state.increment("big", 2)), "invalid: the sum is out of range");
  });
  assert.equal(outcome, "done");
});

test("a value is set only if it is as expected", async () => {
  const { outcome, state } = await handle((_, { state }) => {
    assert.deepEqual([state.compareAndSet("k", "x", "1"), state.compareAndSet("k", undefined, "1")], [false, true]);
    assert.deepEqual([state.compareAndSet("k", undefined, "2"), state.compareAndSet("k", "2", "3"), state.compareAndSet("k", "1", { a: 1 })], [false, false, true]);
    assert.equal(state.compareAndSet("k", { a: 1 }, "last"), true);
  });
  assert.deepEqual([outcome, state.getText("k")], ["done", "last"]);
});

test("a value is there for as long as it was kept", async () => {
  let now = 1000;
  const clock = mock.method(Date, "now", () => now);
  const { state } = await handle((_, { state }) => {
    state.set("short", 1, { keepMs: 99.5 });
    state.compareAndSet("other", undefined, "", { keepMs: 200 });
  });
  now += 99;
  assert.deepEqual([state.increment("short"), state.keys()], [2, ["other", "short"]]);
  now += 1;
  assert.deepEqual([state.get("short"), state.keys(), state.increment("short")], [undefined, ["other"], 1]);
  clock.mock.restore();
});

test("events are there if the handler is done, and another plugin takes them", async () => {
  const making = (end) => (_, { emit }) => {
    emit("made.json", { a: 1 }, { "resource.id": "r", none: undefined });
    emit("made.text", "grüße");
    emit("made.empty");
    end?.();
  };
  const { emitted } = await handle(making());
  assert.deepEqual(emitted.map(({ id, source, provider, type }) => [id, source, provider, type]), [
    ["evt_emitted1", "plugin:p", "plugin", "made.json"],
    ["evt_emitted2", "plugin:p", "plugin", "made.text"],
    ["evt_emitted3", "plugin:p", "plugin", "made.empty"],
  ]);
  assert.deepEqual([emitted[0].json(), { ...emitted[0].attributes }, emitted[1].text(), emitted[2].payload.length], [{ a: 1 }, { "resource.id": "r" }, "grüße", 0]);
  const other = plugin({ ...identity, on: { "plugin:made.*": (event) => console.log(event.resourceId) } });
  assert.deepEqual((await run(other, emitted[0])).logs, ["info: r"]);
  const failed = await handle(making(() => { throw new Reject("no"); }));
  assert.deepEqual([failed.outcome, failed.emitted], ["reject", []]);
});

test("what was not asked for, or not granted, is denied", async () => {
  const keeping = (_, { state }) => state.set("k", "");
  const making = (_, { emit }) => emit("made.x");
  const table = [
    [keeping, {}, {}, /^the plugin did not ask for the state/],
    [keeping, all, { state: false }, /^the plugin did not ask for the state.*or was not granted it$/],
    [making, {}, {}, /^the plugin did not ask for events of type `made\.x`/],
    [making, { emits: ["other.*"] }, {}, /^the plugin did not ask for events of type `made\.x`/],
    [making, all, { emit: false }, /^the plugin did not ask for events of type `made\.x`/],
  ];
  for (const [handler, asks, grants, why] of table) {
    const ended = await handle(handler, grants, asks);
    assert.equal(ended.outcome, "retry");
    assert.match(ended.why, why);
  }
});

test("an error of a power is a retry, but what makes no sense is a reject", async () => {
  for (const kind of ["denied", "limit", "busy", "timeout", "failed", "invalid"]) {
    const { outcome, why, logs } = await handle(() => { throw new PowerError(kind, "a reason"); });
    assert.deepEqual([outcome, why, logs], [kind === "invalid" ? "reject" : "retry", "a reason", []]);
  }
  const { outcome } = await handle((_, { emit }) => emit("made. x"));
  assert.equal(outcome, "reject");
});

test("a sender is answered", async () => {
  const table = [
    [() => ({}), 200, {}, ""],
    [() => ({ body: "grüße" }), 200, { "content-type": "text/plain;charset=UTF-8" }, "grüße"],
    [async () => ({ status: 201, body: { type: 1 } }), 201, { "content-type": "application/json" }, '{"type":1}'],
    [() => ({ body: null, status: 204 }), 204, {}, ""],
    [() => ({ body: false }), 200, { "content-type": "application/json" }, "false"],
    [() => ({ body: new TextEncoder().encode("b") }), 200, {}, "b"],
    [() => ({ headers: { "Content-Type": "text/html" }, body: "<p>" }), 200, { "content-type": "text/html" }, "<p>"],
    [() => ({ headers: [["set-cookie", "a=1"], ["set-cookie", "b=2"]] }), 200, { "set-cookie": "b=2" }, ""],
    [() => new Response("no", { status: 404 }), 404, { "content-type": "text/plain;charset=UTF-8" }, "no"],
    [async () => Response.json([1]), 200, { "content-type": "application/json" }, "[1]"],
  ];
  for (const [handler, status, headers, body] of table) {
    const { outcome, answer: given } = await answer(handler);
    assert.deepEqual([outcome, given.status, Object.fromEntries(given.headers), await given.text()], ["done", status, headers, body]);
  }
  const { answer: cookies } = await answer(() => ({ headers: [["set-cookie", "a=1"], ["set-cookie", "b=2"]] }));
  assert.deepEqual(cookies.headers.getSetCookie(), ["a=1", "b=2"]);
});

test("what is no answer is told, and what it wrote is forgotten", async () => {
  const table = [
    [() => {}, "TypeError: the handler gave no answer: return { status, headers, body }, or a Response"],
    [() => "text", "TypeError: the handler gave no answer: return { status, headers, body }, or a Response"],
    [() => ({ title: "x" }), "TypeError: an answer has a status, headers and a body, and no `title`"],
    [() => ({ status: 99 }), "TypeError: an answer has no status 99"],
    [() => ({ body: () => {} }), "TypeError: the body of an answer is neither bytes nor text, and cannot be written as JSON"],
    [() => ({ headers: { "a b": "" } }), "TypeError: no header has the name `a b`"],
    [() => new Retry("busy"), "busy"],
  ];
  for (const [handler, reason] of table) {
    const { outcome, why, answer: given, state, emitted } = await answer((event, context) => {
      context.state.set("k", "");
      context.emit("made.x");
      return handler();
    });
    assert.deepEqual([outcome, why, given, state.keys(), emitted], ["retry", reason, undefined, [], []]);
  }
});

test("answers and events have handlers of their own", async () => {
  const both = plugin({ ...identity, state: true, on: { a: () => console.log("on") }, respond: { "a, github:*": (event, { state }) => ({ body: String(state.increment("n")) }) } });
  const { state, logs } = await run(both, event("a"));
  assert.deepEqual([logs, state.keys()], [["info: on"], []]);
  await respond(both, event("a"), { state });
  const { answer: second } = await respond(both, event("b", { provider: "github" }), { state });
  assert.equal(await second.text(), "2");
  const { outcome, why } = await respond(both, event("b"));
  assert.deepEqual([outcome, why], ["reject", "no handler of this plugin answers `b`"]);
});
