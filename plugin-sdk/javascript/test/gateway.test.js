// What the gateway calls, in Node: the bundle as it is built, with its imports made up, in a thread of its own.

import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, test } from "node:test";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";

import { bundle } from "../build/bundle.js";
import { PLAIN, RESPONDING, WRONG_WORLD } from "../gateway/worlds.js";

const folder = fileURLToPath(new URL("guests", import.meta.url));

/** What the gateway offers. Numbers of 64 bits are `bigint` where `wide` is set: engines differ. */
const HOST = {
  log: `
    export const log = (level, message) => globalThis.lines.push(level + ": " + message);`,
  settings: `
    export const get = (key) => (key === "greeting" ? "hi" : null);`,
  clock: `
    export const nowMs = () => 1234567890123;`,
  random: `
    import { randomBytes } from "node:crypto";
    export const bytes = (length) => new Uint8Array(randomBytes(length));`,
  state: `
    const values = new Map();
    const same = (a, b) => (a === undefined || b === undefined ? a === b : String(a) === String(b));
    const checked = (keep) => { if (keep !== undefined && typeof keep !== (globalThis.wide ? "bigint" : "number")) throw new RangeError("as u64: " + typeof keep); };
    export const get = (key) => {
      if (key === "denied") throw Object.assign(new Error("wrapped"), { payload: { kind: "denied", why: "state is not granted" } });
      return values.get(key) ?? null;
    };
    export const set = (key, value, keep) => {
      if (!key.isWellFormed()) throw new RangeError("half a character");
      checked(keep);
      values.set(key, value);
    };
    const remove = (key) => void values.delete(key);
    export { remove as delete };
    export const keys = (prefix, after, limit) => [...values.keys()].filter((key) => key.startsWith(prefix) && !(key <= after)).sort().slice(0, limit);
    export const increment = (key, by) => {
      if (key === "b") throw { payload: { kind: "invalid", why: "what stands under this key is no number" } };
      checked(by);
      if (globalThis.wide && by < 0n) throw new RangeError("StarlingMonkey ends here");
      const sum = BigInt(new TextDecoder().decode(values.get(key) ?? Uint8Array.of(48))) + BigInt(by);
      values.set(key, new TextEncoder().encode(String(sum)));
      return globalThis.wide ? sum : Number(sum);
    };
    export const compareAndSet = (key, expected, value, keep) => {
      checked(keep);
      const is = same(values.get(key), expected);
      if (is) values.set(key, value);
      return is;
    };`,
  http: `
    export const send = (request) => {
      if (request.url === "https://denied/") throw { payload: { kind: "denied", why: "the host is not granted" } };
      const { method, url, headers, body, timeoutMs } = request;
      const seen = [method, url, headers, body.length, typeof timeoutMs, String(timeoutMs)];
      return { status: 203, headers: [["X-Seen", "yes"]], body: new TextEncoder().encode(JSON.stringify(seen)) };
    };`,
  events: `
    export const emit = (type, payload, attributes) => globalThis.lines.push(JSON.stringify([type, payload.length, attributes]));`,
};

/** Answers each type of event with how it ended and what was logged. */
const DRIVER = `
  import { parentPort } from "node:worker_threads";
  globalThis.lines = [];
  const reply = (message) => parentPort.postMessage(JSON.stringify(message, (_, value) => (typeof value === "bigint" ? value + "n" : value)));
  const { handler, responder } = await import("BUNDLE");
  const calls = { describe: () => handler.describe(), handle: handler.handle, respond: responder.respond };
  const ended = (code) => {
    try { return code(); } catch (failure) { return failure; }
  };
  parentPort.on("message", ({ call, type, wide }) => {
    globalThis.wide = wide;
    const receivedAtMs = wide ? 1n : 1;
    const raw = { id: "e", source: "s", provider: "p", type, receivedAtMs, attempt: 1, attributes: [], payload: new Uint8Array(0) };
    const result = ended(() => calls[call](raw));
    reply({ result, lines: globalThis.lines.splice(0) });
  });
`;

const asUrl = (code) => `data:text/javascript,${encodeURIComponent(code)}`;
let worker;

/** The bundle as the engine swallows it, with the gateway's side made up. */
async function bundled(world) {
  const { source } = await bundle(path.join(folder, "everything.js"), folder, world);
  return source.replace(/"hookgate:plugin\/(\w+)@[^"]+"/g, (_, name) => JSON.stringify(asUrl(HOST[name])));
}

before(async () => {
  const guest = asUrl(await bundled(RESPONDING));
  worker = new Worker(new URL(asUrl(DRIVER.replace("BUNDLE", guest))));
});

after(() => worker.terminate());

async function ask(question) {
  worker.postMessage(question);
  const [answer] = await once(worker, "message");
  return JSON.parse(answer);
}

function call(type, wide = false) {
  return ask({ call: type === "describe" ? type : "handle", type, wide });
}

function respond(type) {
  return ask({ call: "respond", type });
}

const retry = (why, more) => ({ tag: "retry", val: { why, ...more } });

test("the gateway learns what the plugin is", async () => {
  const { result, lines } = await call("describe");
  assert.equal(result.name, "everything");
  assert.deepEqual(result.asks.map(({ what, name }) => `${what} ${name}`), ["setting greeting", "host *", "state ", "emit made.*", "reply answer", "reply busy", "reply stuck"]);
  assert.deepEqual([result.asks[0].detail, lines], [[["default", "hello"]], []]);
});

test("time and randomness are the gateway's", async () => {
  const { lines: [time] } = await call("clock");
  assert.equal(time, "info: 1234567890123 2009-02-13T23:31:30.123Z true 0 5 1234567890123");
  const [first, second] = [await call("random"), await call("random")];
  assert.match(first.lines[0], /^info: 0\.\d+ [0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12} 5000$/);
  assert.notEqual(first.lines[0], second.lines[0]);
  assert.match((await call("early")).lines[0], /no randomness yet: this code runs when the plugin is built/);
});

test("what is not there says so", async () => {
  assert.match((await call("absent")).lines[0], /^info: setTimeout: a plugin cannot wait/);
});

test("what a plugin expects of the web is there", async () => {
  assert.deepEqual((await call("web")).lines, ["info: https://example.com/b?q=%C3%BC { items: [ 1, 2 ] } ü x"]);
});

test("the state is the gateway's, whichever numbers the engine has", async () => {
  for (const wide of [false, true]) {
    const { result, lines } = await call("state", wide);
    assert.deepEqual([result, lines], [undefined, [
      "info: undefined x { a: 1 } [ 'a\ufffd', 'b' ] [ 'b' ]",
      "info: 1 6 -1 9007199254740993n true false",
      "info: invalid: what stands under this key is no number",
      "info: denied: state is not granted",
    ]]);
  }
});

test("requests and events are the gateway's", async () => {
  for (const wide of [false, true]) {
    const { result, lines } = await call("request", wide);
    assert.equal(result, undefined);
    assert.equal(lines[0], `info: 203 true yes ["POST","https://h/\ufffd",[["a","1"],["content-type","text/plain;charset=UTF-8"]],1,"${wide ? "bigint" : "number"}","9"]`);
    assert.deepEqual(lines.slice(1), ["info: true undefined", "info: TypeError: fetch failed denied: the host is not granted"]);
  }
  assert.deepEqual((await call("emit")).lines, ['["made.\ufffd",7,[["a\ufffd","5"]]]']);
});

test("there is nobody to ask while the plugin is built", async () => {
  assert.match((await call("early")).lines[0], /\| there is no gateway yet: this code runs when the plugin is built; move it into a handler$/);
});

test("senders are answered", async () => {
  const { result } = await respond("answer");
  assert.deepEqual(result, { status: 201, headers: [["content-type", "application/json"]], body: { ...new TextEncoder().encode('{"greeting":"hi"}') } });
  assert.deepEqual((await respond("busy")).result, retry("busy", { afterMs: 5 }));
  assert.deepEqual((await respond("stuck")).result, retry("the handler waits for a promise that nothing will settle"));
  assert.deepEqual((await respond("nothing")).result, { tag: "reject", val: "no handler of this plugin answers `nothing`" });
});

test("a plugin says that it is built for the wrong world", async () => {
  // A thread has globals of its own, which the bundle replaces.
  const code = `globalThis.lines = []; await import(${JSON.stringify(asUrl(await bundled(PLAIN)))});`;
  await assert.rejects(once(new Worker(new URL(asUrl(code))), "exit"), new Error(WRONG_WORLD));
});

test("handlers are driven to their end", async () => {
  assert.deepEqual(await call("setting"), { lines: ["info: hi"] });
  assert.deepEqual((await call("reject")).result, { tag: "reject", val: "never \ufffd" });
  assert.deepEqual((await call("retry")).result, retry("busy", { afterMs: 5 }));
  assert.deepEqual((await call("retry", true)).result, retry("busy", { afterMs: "5n" }));
  assert.deepEqual((await call("nothing")).result, { tag: "reject", val: "no handler of this plugin takes `nothing`" });
});

test("an error is traced to the author's line", async () => {
  const { result, lines } = await call("error");
  assert.deepEqual(result, retry("TypeError: a bug"));
  assert.equal(lines[0], "debug: TypeError: a bug");
  assert.match(lines[1], /^debug: {5}at .+ \(everything\.js:\d+\)$/);
});

test("a handler that cannot end, or forgot something, is not done", async () => {
  assert.deepEqual((await call("stuck")).result, retry("the handler waits for a promise that nothing will settle"));
  const lost = await call("lost");
  assert.deepEqual([lost.result, lost.lines[0]], [retry("nobody looks"), "error: nobody caught Error: nobody looks"]);
  assert.deepEqual((await call("job")).result, retry("in a job"));
});

test("each call has a console of its own", async () => {
  for (let time = 0; time < 2; time++) {
    assert.deepEqual((await call("group")).lines, ["info: never ended", "info:   half \ufffd"]);
  }
});
