import assert from "node:assert/strict";
import { test } from "node:test";
import { event, load, Problem, State } from "hookgate-plugin-as/testing";

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
    { what: "setting", name: "mark", detail: { default: "!" } },
    { what: "setting", name: "limit", detail: { default: "5", type: "integer" } },
    {
      what: "host",
      name: "api.example.com",
      detail: { about: "Where things are.", methods: "GET POST", credential: "bearer" },
    },
    { what: "host", name: "*.example.org", detail: { optional: "true" } },
    { what: "state", name: "", detail: { about: "What was touched." } },
    { what: "emit", name: "made.*", detail: {} },
    { what: "reply", name: "probe.answer", detail: {} },
    { what: "reply", name: "frameio:ask.*", detail: {} },
  ]);
});

test("a responder that is not exported is told", () => {
  assert.throws(() => load("mute.wasm"), /add the line export \{ respond, cabi_post_respond \}/);
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

/** Runs steps in one call, and gives what they logged. */
function steps(state, ...lines) {
  return logs("probe.state", { payload: lines.join("\n") }, { state }).map((line) => line.slice(6));
}

test("state is set, read and removed", () => {
  const state = new State();
  assert.deepEqual(
    steps(state, "get a", "set a grüße", "get a", "set a ", "get a", "bytes b 3", "size b", "get b", "remove a", "remove a", "get a"),
    ["nothing", "=grüße", "=", "3", "nothing", "nothing"],
  );
  assert.deepEqual(state.get("b"), Buffer.of(255, 255, 255));
  assert.deepEqual(state.keys(), ["b"]);
  const empty = "invalid: a key is not empty";
  assert.deepEqual(steps(state, "get ''", "set '' x", "remove ''", "add '' 1", "swap '' - x"), [empty, empty, empty, empty, empty]);
});

test("keys are listed in the order of their bytes", () => {
  const state = new State({ "b:2": "", "b:é": "", a: "", "b:1": "", b: "", c: "", "\u{1f3ac}": "", "\uffff": "" });
  assert.deepEqual(steps(state, "remove b:1", "keys b - 1000", "keys b b 1", "keys z - 5"), ["[b b:2 b:é]", "[b:2]", "[]"]);
  assert.deepEqual(steps(state, "keys '' c 9"), ["[\uffff \u{1f3ac}]"]);
});

test("numbers are added to", () => {
  const state = new State({ most: "9223372036854775807", text: "7 apples" });
  assert.deepEqual(steps(state, "add n 40", "add n -82", "get n", "value n"), ["40", "-42", "=-42", "-41"]);
  assert.deepEqual(steps(state, "add most 0", "add most 1", "add text 1"), [
    "9223372036854775807",
    "invalid: the sum is out of range",
    "invalid: what stands under this key is no number",
  ]);
});

test("a key is set only if it is as expected", () => {
  const state = new State();
  const swaps = ["swap a '' 0", "swap a - 1", "swap a - 2", "swap a 1 3", "swap a 1 4", "get a"];
  assert.deepEqual(steps(state, ...swaps), ["false", "true", "false", "true", "false", "=3"]);
});

test("what is kept for a while is gone then", () => {
  const state = new State();
  steps(state, "set a 7 1000");
  state.wait(999);
  assert.deepEqual(steps(state, "add a 1"), ["8"]);
  state.wait(1);
  assert.deepEqual(steps(state, "get a", "keys '' - 9", "add a 1"), ["nothing", "[]", "1"]);
});

test("what a handler does is kept if it is done", () => {
  const state = new State({ a: "before" });
  const run = (...lines) => plugin.handle(event("probe.state", { payload: lines.join("\n") }), { state });
  const [failed, trapped] = [run("set a after", "emit made.one {}", "return a"), run("set a after", "emit made.one {}", "value a")];
  assert.deepEqual([failed.outcome, failed.why, failed.emitted], ["retry", "not now", undefined]);
  assert.deepEqual([trapped.outcome, trapped.emitted, state.text("a")], ["trapped", undefined, "before"]);
  assert.match(trapped.logs.at(-1), /error: what stands under this key is no number/);
  const done = run("set a after", "emit made.one {} ü", "emit made.two 2");
  assert.deepEqual([done.outcome, state.text("a")], ["done", "after"]);
  assert.deepEqual(done.emitted, [
    { type: "made.one", payload: "{}", attributes: { n: "ü" } },
    { type: "made.two", payload: "2", attributes: {} },
  ]);
  const rejected = run("return ''");
  assert.deepEqual([rejected.outcome, rejected.why], ["reject", "a key is not empty"]);
});

test("an event has a type that was asked for", () => {
  assert.deepEqual(steps(new State(), "emit other x", "emit made. x", "emit made.a\tb x", "emit smade.x x"), [
    'denied: the plugin does not ask for it: plugin(...).emits("other")',
    "invalid: an event's type is a word",
    'denied: the plugin does not ask for it: plugin(...).emits("smade.x")',
  ]);
});

test("a request is answered", () => {
  let asked;
  const http = (request) => {
    asked = request;
    return { status: 201, headers: [["x-two", "a"], ["X-Two", "b"]], body: { n: 7 } };
  };
  const url = "https://api.example.com:8443/v1?x=y";
  const send = (fields) => plugin.handle(event("probe.http", fields), { http });
  const posted = send({ attributes: { method: "POST", url, quick: "yes" }, payload: 'ü "\n' });
  assert.deepEqual(posted.logs.slice(1), ["info: 201 2 a true", 'info: {"n":7} 7.0 7']);
  assert.deepEqual(posted.emitted, [{ type: "made.answer", payload: '{"n":7}', attributes: {} }]);
  assert.deepEqual(JSON.parse(asked.body), { text: 'ü "\n' });
  assert.deepEqual([asked.method, asked.url, asked.timeoutMs], ["POST", url, 250]);
  assert.deepEqual(asked.headers, [["x-one", "ü"], ["content-type", "application/json"]]);
  send({ attributes: { method: "GET", url: "https://a.example.org/" } });
  assert.deepEqual([asked.method, asked.timeoutMs, asked.body.length], ["GET", undefined, 0]);
  const bytes = plugin.handle(event("probe.http", { attributes: { method: "GET", url } }), {
    http: () => ({ headers: { "x-two": "" }, body: Uint8Array.of(255, 0) }),
  });
  assert.deepEqual(bytes.logs.slice(1), ["info: 200 1  true", "info: no text NaN 2"]);
});

test("a request that is not answered is a problem", () => {
  const http = ({ url }) => {
    throw url.endsWith("/odd") ? new TypeError("a mistake in the test") : new Problem(url.split("/").at(-1), "why ü");
  };
  const outcome = (method, url, options = { http }) => {
    const { outcome, why } = plugin.handle(event("probe.http", { attributes: { method, url } }), options);
    return `${outcome}: ${why}`;
  };
  for (const kind of ["denied", "limit", "busy", "timeout", "failed"]) {
    assert.equal(outcome("GET", `https://api.example.com/${kind}`), "retry: why ü");
  }
  assert.equal(outcome("GET", "https://api.example.com/invalid"), "reject: why ü");
  assert.equal(outcome("GET", "/v1"), "reject: /v1 is no URL of a host");
  const unasked = "retry: the plugin does not ask for it: plugin(...).host";
  assert.equal(outcome("PUT", "https://api.example.com/busy"), `${unasked}("api.example.com") for PUT`);
  assert.equal(outcome("GET", "https://example.org/"), `${unasked}("example.org") for GET`);
  assert.equal(outcome("GET", "https://api.example.com/", {}), "retry: nobody answers requests in this test: { http }");
  assert.throws(() => outcome("GET", "https://api.example.com/odd"), TypeError);
});

test("a responder answers", () => {
  const state = new State();
  const ask = (payload, type = "ask.me") => plugin.respond(event(type, { provider: "frameio", payload }), { state });
  const json = { "content-type": "application/json" };
  const form = {
    title: "Ask",
    description: "",
    fields: [
      { type: "text", label: "Title", name: "title", value: "a\\b" },
      { type: "boolean", label: "Now", name: "now", value: true },
      { type: "select", label: "Prio", name: "prio", options: [{ name: "High", value: "h" }, { name: "Low", value: "l" }] },
    ],
  };
  const table = [
    ["text", 200, { "content-type": "text/plain; charset=utf-8" }, "Hi ü"],
    ["bare", 204, {}, ""],
    ["header", 200, { ...json, "x-one": "1" }, "{}"],
    ["message", 200, json, '{"title":"Done","description":"one\\u000a\\"two\\""}'],
    ["form", 200, json, JSON.stringify(form)],
  ];
  for (const [payload, status, headers, body] of table) {
    const { outcome, answer } = ask(payload);
    assert.deepEqual([outcome, answer], ["done", { status, headers, body: Buffer.from(body) }], payload);
  }
  assert.equal(state.text("asked"), "ask.me");
  const failed = ask("else", "ask.other");
  assert.deepEqual([failed.outcome, failed.why, failed.afterMs, failed.answer], ["retry", "not now", 1000, undefined]);
  assert.deepEqual([ask("problem").outcome, ask("problem").why], ["reject", "a key is not empty"]);
  assert.equal(state.text("asked"), "ask.me");
  assert.deepEqual([ask("text", "probe.answer").outcome, ask("text", "other").why], ["done", "no responder for other"]);
  assert.equal(plugin.handle(event("ask.me", { provider: "frameio" })).why, "no handler for ask.me");
});

test("a text is quoted as JSON quotes it", () => {
  let asked;
  const all = Array.from({ length: 0x180 }, (_, i) => String.fromCharCode(i)).join("") + "日本🎬";
  const attributes = { method: "POST", url: "https://api.example.com/" };
  const http = ({ body }) => ((asked = JSON.parse(body)), { headers: { "x-two": "" } });
  plugin.handle(event("probe.http", { attributes, payload: all }), { http });
  assert.equal(asked.text, all);
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

test("many calls that use powers take no more memory than few", () => {
  const state = new State({ n: "0", big: "x".repeat(10_000) });
  const http = () => ({ headers: Array.from({ length: 20 }, (_, i) => [`x-${i}`, "y".repeat(i)]).concat([["x-two", ""]]), body: "z".repeat(5000) });
  const instance = plugin.start({ state, http });
  const payload = ["add n 1", "get big", "set big x", "keys '' - 9", "swap n - x", "emit made.one x y", "get ''"].join("\n");
  const call = () => {
    assert.equal(instance.handle(event("probe.state", { payload })).outcome, "done");
    state.set("big", Buffer.alloc(10_000, 120));
    const attributes = { method: "POST", url: "https://api.example.com/" };
    assert.equal(instance.handle(event("probe.http", { attributes, payload: "hi" })).emitted.length, 1);
    assert.equal(instance.respond(event("probe.answer", { payload: "form" })).outcome, "done");
  };
  for (let i = 0; i < 300; i++) call();
  const bytes = instance.memoryBytes;
  for (let i = 0; i < 3000; i++) call();
  assert.equal(state.text("n"), "3300");
  assert.equal(instance.memoryBytes, bytes);
});
