import assert from "node:assert/strict";
import { test } from "node:test";
import { event, load } from "hookgate-plugin-as/testing";

const plugin = load("probe.wasm");

function logs(type, fields, options) {
  const ran = plugin.handle(event(type, fields), options);
  assert.equal(ran.outcome, "done", JSON.stringify(ran));
  return ran.logs.slice(1); // without that of the top level
}

test("the manifest says what was declared", () => {
  assert.equal(plugin.manifest.name, "probe");
  assert.equal(plugin.manifest.version, "0.0.1");
  assert.equal(plugin.manifest.subscriptions[0], "probe.matches");
  assert.deepEqual(plugin.manifest.asks, [
    { what: "setting", name: "needed", detail: { about: "Has no default." } },
    { what: "setting", name: "mark", detail: { about: "", default: "!" } },
  ]);
});

test("patterns mean what the contract says", () => {
  const table = [
    ["file.ready", "file.ready", true],
    ["file.ready", "file.ready.now", false],
    ["file.*", "file.upload.completed", true],
    ["file.*", "files.ready", false],
    ["*", "", true],
    ["**", "anything.at/all", true],
    ["*.created", "comment.created", true],
    ["*.created", "comment.created.late", false],
    ["a*b*c", "a-b-b-c", true],
    ["a*b*c", "a-c-b", false],
    ["ab*ba", "aba", false],
    ["a*b*b", "ab", false],
    ["a*é*z", "a-é-z", true],
    ["frameio:file.*", "file.ready", true],
    ["studio:file.*", "file.ready", true],
    ["github:file.*", "file.ready", false],
    ["com.example:order", "com.example:order", true],
    ["Caps:*", "Caps:order", true],
    ["-x:*", "-x:order", true],
    [":x", ":x", true],
  ];
  for (const [pattern, type, expected] of table) {
    const told = logs("probe.matches", { attributes: { pattern, type } });
    assert.deepEqual(told, [`info: ${expected}`], `${pattern} on ${type}`);
  }
});

test("an event that nobody wants is rejected", () => {
  const ran = plugin.handle(event("unknown"));
  assert.deepEqual([ran.outcome, ran.why], ["reject", "no handler for unknown"]);
});

test("a pointer finds what JSON.parse finds", () => {
  const body = {
    a: { b: [1, "zwei", { c: null, "d/e~f": "ü🎬\n\"\\\u0001" }, [], {}, true, false, -1.5e-7, [[7]]] },
    "": { "": "empty" },
    0: "zero",
  };
  const texts = [JSON.stringify(body), JSON.stringify(body, null, "\t"), ` ${JSON.stringify(body)}\r\n`];
  const pointers = {
    "": body, "/": body[""], "//": "empty", "/0": "zero", "/a": body.a, "/a/b/0": 1, "/a/b/1": "zwei", "/a/b/2/c": null,
    "/a/b/2/d~1e~0f": body.a.b[2]["d/e~f"], "/a/b/3": [], "/a/b/4": {}, "/a/b/5": true, "/a/b/6": false,
    "/a/b/7": -1.5e-7, "/a/b/8/0/0": 7, "/a/b/9": undefined, "/a/b/01": undefined, "/a/b/-": undefined,
    "/a/b/1/0": undefined, "/x": undefined, "a": undefined, "/a/b/3/0": undefined,
  };
  for (const payload of texts) {
    for (const [pointer, expected] of Object.entries(pointers)) {
      const [text, number] = logs("probe.json", { payload, attributes: { pointer } });
      if (expected === undefined || expected === null) assert.equal(text, "info: nothing", pointer);
      else if (typeof expected === "string") assert.equal(text, `info: =${expected}`, pointer);
      else assert.deepEqual(JSON.parse(text.slice(7)), expected, pointer);
      assert.equal(Number(number.slice(6)), typeof expected === "number" ? expected : NaN, pointer);
    }
  }
});

test("escapes are read, and of two equal names the last one counts", () => {
  const at = (pointer, payload) => logs("probe.json", { payload, attributes: { pointer } })[0];
  assert.equal(at("/a", String.raw`{"a":"\u0041\ud83c\udfac\/\b\f\n\r\t\"\\"}`), "info: =A🎬/\b\f\n\r\t\"\\");
  assert.equal(at("/é", String.raw`{"\u00E9": 1}`), "info: =1");
  assert.equal(at("/a", String.raw`{"a":"\ud83c!"}`), "info: =\ufffd!");
  assert.equal(at("/a/b", '{"a":{"b":1},"a":{"b":2}}'), "info: =2");
  assert.equal(at("/a/b", '{"a":{"b":1},"a":3}'), "info: nothing");
  assert.equal(at("/a", '{"a":12345678901234567890}'), "info: =12345678901234567890");
});

test("a long text is read in a moment", () => {
  const text = "ü\n".repeat(100_000);
  const payload = JSON.stringify({ pad: [text, text], text });
  assert.equal(logs("probe.json", { payload, attributes: { pointer: "/text" } })[0], `info: =${text}`);
});

test("what is no JSON has nothing in it", () => {
  const bad = [
    "", " ", "{", "}", "[", '{"a":1', '{"a":1}}', '{"a":1,}', '{"a" 1}', '{a:1}', '{"a":01}', '{"a":1.}', '{"a":.5}', '{"a":1e}',
    '{"a":+1}', '{"a":-}', '{"a":tru}', '{"a":truex}', '{"a":nul', '{"a":"\n"}', '{"a":"\\x"}', '{"a":"\\u12g4"}', '{"a":"\\u12',
    '{"a":"', '{"a":"\\', "{'a':1}", '{"a":1}x', '\ufeff{"a":1}', '{"a":1,"b":[1,]}', '{"a":1}\0', '{"a":NaN}', '{"a":1,"b":"\u0000"}',
    '{"a":' + "[".repeat(128) + "]".repeat(128) + "}", '{"a":1,"b":' + "[".repeat(100000),
  ];
  for (const payload of bad) {
    assert.deepEqual(logs("probe.json", { payload, attributes: { pointer: "/a" } }), ["info: nothing", "info: NaN"], payload.slice(0, 40));
    if (!payload.includes("[[")) assert.throws(() => JSON.parse(payload), payload);
  }
  const notText = Uint8Array.from([...Buffer.from('{"a":1,"b":"'), 0xff, ...Buffer.from('"}')]);
  assert.deepEqual(logs("probe.json", { payload: notText, attributes: { pointer: "/a" } })[0], "info: nothing");
  const deep = '{"a":' + "[".repeat(127) + "]".repeat(127) + "}";
  assert.equal(logs("probe.json", { payload: deep, attributes: { pointer: "/a" } })[0].length, 7 + 254);
});

test("a body is text exactly where it is UTF-8", () => {
  const isUtf8 = (bytes) => {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      return undefined;
    }
  };
  const edges = [0, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xff];
  const bodies = [[], [...Buffer.from("12345678grüße 日本 🎬")], [...Buffer.from("1234567é12345678")]];
  for (const a of edges) for (const b of edges) bodies.push([a, b], [a, b, 0x80], [a, b, 0x80, 0xbf], [a, b, 0x80, 0x41], [0x41, a, b]);
  const instance = plugin.start();
  for (const body of bodies) {
    const bytes = Uint8Array.from(body);
    const ran = instance.handle(event("probe.text", { payload: bytes }));
    const text = isUtf8(bytes);
    if (text === undefined) assert.match(ran.why, /UTF-8/);
    else assert.equal(ran.logs.at(-1), `info: =${text}`);
  }
});

test("the clock is the gateway's", () => {
  const nowMs = 1795641274205;
  assert.deepEqual(logs("probe.time", {}, { nowMs }), [
    "info: 1795641274205 1795641274205 1795641274205.0 2026-01-01T00:00:00.000Z",
    "info: 2026-11-25T21:14:34.205Z",
  ]);
  assert.match(logs("probe.time", { receivedAtMs: 2n ** 64n - 1n })[0], /Z$/);
});

test("randomness differs in each instance", () => {
  const [once, twice] = [logs("probe.random"), logs("probe.random")];
  assert.notDeepEqual(once, twice);
  assert.doesNotMatch(once[0], /0(,0){7}/);
});

test("the console is the log", () => {
  assert.deepEqual(plugin.handle(event("probe.console"), { nowMs: 5 }).logs, [
    "info: the top level can log",
    "trace: traced 1.0 2.5",
    "info: work: 0 ms",
    "error: assertion failed: told",
    "info: half of a character: \ufffd",
  ]);
});

test("settings are granted, defaulted or missing", () => {
  assert.deepEqual(logs("probe.settings"), ["info: nothing ! true"]);
  assert.deepEqual(logs("probe.settings", {}, { settings: { needed: "ü", mark: 7 } }), ["info: ü 7 true"]);
  assert.deepEqual(logs("probe.settings", {}, { settings: { needed: "" } }), ["info:  ! true"]);
});

test("what is thrown is logged with its place, and traps", () => {
  const broken = plugin.handle(event("probe.throw"));
  assert.equal(broken.outcome, "trapped");
  assert.match(broken.logs.at(-1), /^error: it is broken: ü \(probe\.ts:\d+:\d+\)$/);
  const missing = plugin.handle(event("probe.null"));
  assert.match(missing.logs.at(-1), /^error: Unexpected 'null' \(not assigned or failed cast\) \(probe\.ts:\d+:\d+\)$/);
  const deep = plugin.handle(event("probe.deep"));
  assert.equal(deep.logs.at(-1), "error: stack overflow");
});

test("many calls of one instance take no more memory than few", () => {
  const instance = plugin.start();
  const call = (attempt) => {
    const attributes = { "resource.id": `r${attempt}`, "user.id": "grüße" };
    const payload = attempt % 100 === 0 ? new Uint8Array(1 << 20) : "x".repeat(attempt % 2000);
    return instance.handle(event("probe.calls", { attempt, attributes, payload }));
  };
  for (let attempt = 1; attempt <= 1000; attempt++) call(attempt);
  const bytes = instance.memoryBytes;
  for (let attempt = 1001; attempt <= 10_000; attempt++) {
    const ran = call(attempt);
    assert.equal(ran.logs[0], `info: ${attempt} r${attempt} ${attempt % 100 === 0 ? 1 << 20 : attempt % 2000} !`);
    assert.equal(ran.outcome, ["done", "reject", "retry"][attempt % 3]);
  }
  assert.equal(instance.memoryBytes, bytes);
});
