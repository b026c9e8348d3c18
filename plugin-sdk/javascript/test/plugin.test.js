import assert from "node:assert/strict";
import { test } from "node:test";

import { plugin, Reject, Retry } from "hookgate-plugin";
import { event, run } from "hookgate-plugin/testing";

const identity = { name: "p", version: "1.0.0" };

/** A plugin whose one handler takes everything. */
function handling(handler, more) {
  return plugin({ ...identity, ...more, on: { "*": handler } });
}

async function ending(handler) {
  const { logs, requests, emitted, state, ...ended } = await run(handling(handler), event("x"));
  return ended;
}

test("the manifest has patterns and settings in order of writing", () => {
  const settings = { a: { about: "A.", default: "" }, b: {} };
  const { manifest } = plugin({ ...identity, settings, on: { "one, two": () => {}, "github:three.*": () => {} } });
  assert.deepEqual(manifest, {
    ...identity,
    subscriptions: ["one", "two", "github:three.*"],
    asks: [
      { what: "setting", name: "a", detail: [["about", "A."], ["default", ""]] },
      { what: "setting", name: "b", detail: [] },
    ],
  });
});

test("the manifest has all that a plugin asks for", () => {
  const { manifest } = plugin({
    ...identity,
    settings: {
      most: { type: "integer", default: 10, about: "How many." },
      rules: { type: "json", default: { a: [1] } },
      mark: { type: "text", default: "5" },
      strict: { type: "boolean" },
    },
    hosts: { "api.frame.io": { about: "Comments.", methods: ["GET", "POST"], credential: "bearer", optional: true }, "*.example.com": {} },
    state: { about: "What was seen.", optional: false },
    emits: ["review.*"],
    respond: { "frameio:a, frameio:b": () => {} },
  });
  assert.deepEqual(manifest, {
    ...identity,
    subscriptions: [],
    asks: [
      { what: "setting", name: "most", detail: [["about", "How many."], ["type", "integer"], ["default", "10"]] },
      { what: "setting", name: "rules", detail: [["type", "json"], ["default", '{"a":[1]}']] },
      { what: "setting", name: "mark", detail: [["type", "text"], ["default", "5"]] },
      { what: "setting", name: "strict", detail: [["type", "boolean"]] },
      { what: "host", name: "api.frame.io", detail: [["about", "Comments."], ["methods", "GET POST"], ["credential", "bearer"], ["optional", "true"]] },
      { what: "host", name: "*.example.com", detail: [] },
      { what: "state", name: "", detail: [["about", "What was seen."]] },
      { what: "emit", name: "review.*", detail: [] },
      { what: "reply", name: "frameio:a", detail: [] },
      { what: "reply", name: "frameio:b", detail: [] },
    ],
  });
  const short = { ...identity, hosts: ["a.com"], state: true, emits: { x: { about: "X.", optional: true } }, on: { x: () => {} } };
  assert.deepEqual(plugin(short).manifest.asks, [
    { what: "host", name: "a.com", detail: [] },
    { what: "state", name: "", detail: [] },
    { what: "emit", name: "x", detail: [["about", "X."], ["optional", "true"]] },
  ]);
  assert.deepEqual(plugin({ ...short, hosts: [], state: false, emits: [] }).manifest.asks, []);
});

test("mistakes are told when the plugin is made", () => {
  const on = { x: () => {} };
  const table = [
    [{ version: "1", on }, "the name of a plugin is not a string"],
    [{ name: "", version: "1", on }, "the name of a plugin is empty"],
    [{ ...identity }, "`on` is not an object"],
    [{ ...identity, on: {} }, "a plugin without handlers takes no event: name them in `on`"],
    [{ ...identity, on: { x: 5 } }, "what handles `x` is not a function"],
    [{ ...identity, on: { " ,": () => {} } }, "a handler without a pattern takes no event"],
    [{ ...identity, on: { "x, y": () => {}, y: () => {} } }, "`y` has two handlers: the second would never run"],
    [{ ...identity, respond: {} }, "a plugin without handlers takes no event: name them in `on`"],
    [{ ...identity, respond: { x: "y" } }, "what handles `x` is not a function"],
    [{ ...identity, respond: { "x, x": () => {} } }, "`x` has two handlers: the second would never run"],
    [{ ...identity, on, settings: { s: { default: 1 } } }, "the default of setting `s` is not a string"],
    [{ ...identity, on, settings: { s: { type: "date" } } }, "the type of setting `s` is none of text, integer, number, boolean, json"],
    [{ ...identity, on, settings: { s: { type: "integer", default: 0.5 } } }, "the setting `s` is no integer: 0.5"],
    [{ ...identity, on, hosts: "a.com" }, "`hosts` is not an object"],
    [{ ...identity, on, hosts: [5] }, "a name in `hosts` is not a string"],
    [{ ...identity, on, hosts: ["https://a.com/"] }, "`https://a.com/` is no host: `api.example.com`, without a scheme, a port and a path"],
    [{ ...identity, on, hosts: { "a.com": { methods: "GET" } } }, "the methods of host `a.com` are not an array"],
    [{ ...identity, on, hosts: { "a.com": { methods: ["get"] } } }, "`get` is no method: `GET`"],
    [{ ...identity, on, hosts: { "a.com": { credential: "token" } } }, "the credential of host `a.com` is none of bearer, basic, header"],
    [{ ...identity, on, hosts: { "a.com": { optional: "yes" } } }, "`optional` is true or false"],
    [{ ...identity, on, state: "yes" }, "`state` is not an object"],
    [{ ...identity, on, emits: ["a b"] }, "`a b` is no pattern of types of events"],
  ];
  for (const [definition, message] of table) assert.throws(() => plugin(definition), new TypeError(message));
});

test("the first handler that matches runs", async () => {
  const log = (text) => () => console.log(text);
  const several = plugin({ ...identity, on: { "a, b": log("several"), "github:*": log("github"), "a*": log("wild") } });
  const line = async (type, provider) => (await run(several, event(type, { provider }))).logs;
  assert.deepEqual(await line("b", "github"), ["info: several"]);
  assert.deepEqual(await line("c", "github"), ["info: github"]);
  assert.deepEqual(await line("ac"), ["info: wild"]);
  const { outcome, why } = await run(several, event("c"));
  assert.deepEqual([outcome, why], ["reject", "no handler of this plugin takes `c`"]);
});

test("a handler ends as it says", async () => {
  assert.deepEqual(await ending(() => 5), { outcome: "done" });
  assert.deepEqual(await ending(async () => {}), { outcome: "done" });
  assert.deepEqual(await ending(() => { throw new Reject("never"); }), { outcome: "reject", why: "never" });
  assert.deepEqual(await ending(async () => { throw new Retry("busy", { afterMs: 1.5 }); }), { outcome: "retry", why: "busy", afterMs: 2 });
  assert.deepEqual(await ending(() => new Retry("busy")), { outcome: "retry", why: "busy" });
});

test("any other error is a retry that tells why in one line", async () => {
  const thrown = (error) => ending(async () => { throw error; });
  const why = async (error) => (await thrown(error)).why;
  assert.deepEqual(await thrown(new Error("later\n  on")), { outcome: "retry", why: "later on" });
  assert.equal(await why(new TypeError("x is no function")), "TypeError: x is no function");
  assert.equal(await why(new Error("no answer", { cause: new Error("refused") })), "no answer: refused");
  assert.equal(await why(new RangeError()), "RangeError");
  assert.equal(await why("text"), "text");
  assert.equal(await why({ code: 5 }), '{"code":5}');
  assert.equal(await why(undefined), "the handler threw undefined");
});

test("a wait must be a time", () => {
  for (const afterMs of [-1, NaN, Infinity]) assert.throws(() => new Retry("busy", { afterMs }), RangeError);
});

test("settings are what was granted, else the default", async () => {
  const greeter = handling((_, { settings }) => console.log(settings.greeting), { settings: { greeting: { default: "Hi" } } });
  assert.deepEqual((await run(greeter, event("x"))).logs, ["info: Hi"]);
  assert.deepEqual((await run(greeter, event("x"), { settings: { greeting: "Hello" } })).logs, ["info: Hello"]);
  await assert.rejects(run(greeter, event("x"), { settings: { greting: "" } }), new TypeError("the plugin has no setting `greting`"));
  const needy = handling(() => {}, { settings: { token: {} } });
  await assert.rejects(run(needy, event("x")), new TypeError("the setting `token` has no default: the test must grant it"));
});

test("settings of a type are read, and one that is wrong is told until it is mended", async () => {
  const settings = { most: { type: "integer", default: 1 }, share: { type: "number", default: 0.5 }, on: { type: "boolean", default: false }, rules: { type: "json", default: "[]" } };
  const shown = handling((_, { settings }) => console.log(settings), { settings });
  assert.deepEqual((await run(shown, event("x"))).logs, ["info: { most: 1, share: 0.5, on: false, rules: [] }"]);
  const granted = { most: 2, share: "1e3", on: true, rules: { a: 1 } };
  assert.deepEqual((await run(shown, event("x"), { settings: granted })).logs, ["info: { most: 2, share: 1000, on: true, rules: { a: 1 } }"]);
  for (const wrong of [{ most: "2.0" }, { share: "" }, { share: "inf" }, { on: "yes" }, { rules: "{" }]) {
    await assert.rejects(run(shown, event("x"), { settings: wrong }), /^TypeError: the setting `\w+` is no \w+: /);
  }
});

test("runs beside each other keep their lines apart", async () => {
  const slow = handling(async (event) => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    console.log(event.type);
  });
  const runs = await Promise.all(["a", "b", "c"].map((type) => run(slow, event(type))));
  assert.deepEqual(runs.map(({ logs }) => logs), [["info: a"], ["info: b"], ["info: c"]]);
});
