// What the gateway calls, in Node: the bundle as it is built, with the four imports made up, in a thread of its own.

import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, test } from "node:test";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";

import { bundle } from "../build/bundle.js";

const folder = fileURLToPath(new URL("guests", import.meta.url));

const HOST = `
  import { randomBytes } from "node:crypto";
  export const lines = [];
  export const log = (level, message) => lines.push(level + ": " + message);
  export const get = (key) => (key === "greeting" ? "hi" : null);
  export const nowMs = () => 1234567890123;
  export const bytes = (length) => new Uint8Array(randomBytes(length));
`;

/** Answers each type of event with how it ended and what was logged. */
const DRIVER = `
  import { parentPort } from "node:worker_threads";
  import { lines } from "HOST";
  const reply = (message) => parentPort.postMessage(JSON.stringify(message));
  const { handler } = await import("BUNDLE");
  const ended = (code) => {
    try { return code(); } catch (failure) { return failure; }
  };
  parentPort.on("message", (type) => {
    const raw = { id: "e", source: "s", provider: "p", type, receivedAtMs: 1, attempt: 1, attributes: [], payload: new Uint8Array(0) };
    const result = ended(() => (type === "describe" ? handler.describe() : handler.handle(raw)));
    reply({ result, lines: lines.splice(0) });
  });
`;

const asUrl = (code) => `data:text/javascript,${encodeURIComponent(code)}`;
let worker;

before(async () => {
  const { source } = await bundle(path.join(folder, "everything.js"), folder);
  const host = asUrl(`${HOST}globalThis.lines = lines;`);
  const guest = asUrl(source.replace(/"hookgate:[^"]+"/g, () => JSON.stringify(host)));
  worker = new Worker(new URL(asUrl(DRIVER.replace("HOST", host).replace("BUNDLE", guest))));
});

after(() => worker.terminate());

async function call(type) {
  worker.postMessage(type);
  const [answer] = await once(worker, "message");
  return JSON.parse(answer);
}

const retry = (why, more) => ({ tag: "retry", val: { why, ...more } });

test("the gateway learns what the plugin is", async () => {
  const { result, lines } = await call("describe");
  assert.equal(result.name, "everything");
  assert.deepEqual(result.asks, [{ what: "setting", name: "greeting", detail: [["default", "hello"]] }]);
  assert.deepEqual(lines, []);
});

test("time and randomness are the gateway's", async () => {
  const { lines: [time] } = await call("clock");
  assert.equal(time, "info: 1234567890123 2009-02-13T23:31:30.123Z true 0 5 1234567890123");
  const [first, second] = [await call("random"), await call("random")];
  assert.match(first.lines[0], /^info: 0\.\d+ [0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12} 5000$/);
  assert.notEqual(first.lines[0], second.lines[0]);
  assert.match((await call("early")).lines[0], /no randomness yet/);
});

test("what is not there says so", async () => {
  const { lines: [line] } = await call("absent");
  assert.match(line, /fetch: .* does not grant outbound HTTP to plugins \| setTimeout: a plugin cannot wait/);
});

test("what a plugin expects of the web is there", async () => {
  assert.deepEqual((await call("web")).lines, ["info: https://example.com/b?q=%C3%BC { items: [ 1, 2 ] } ü x"]);
});

test("handlers are driven to their end", async () => {
  assert.deepEqual(await call("setting"), { lines: ["info: hi"] });
  assert.deepEqual((await call("reject")).result, { tag: "reject", val: "never \ufffd" });
  assert.deepEqual((await call("retry")).result, retry("busy", { afterMs: 5 }));
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
