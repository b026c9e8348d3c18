// fetch and what belongs to it, beside what Node has; and the hosts that a test makes up.

import assert from "node:assert/strict";
import { test } from "node:test";

import { plugin, PowerError } from "hookgate-plugin";
import { event, run } from "hookgate-plugin/testing";

import { AbortController as Controller, AbortSignal as Signal } from "../gateway/abort.js";
import { createFetch } from "../lib/fetch.js";
import { Headers as OurHeaders } from "../lib/headers.js";
import { Response as OurResponse } from "../lib/response.js";

const URL_ = "https://api.example.com/v1/things?x=ü";

/** What it gives, or the name of what it throws. */
async function outcome(code) {
  try {
    return await code();
  } catch (error) {
    return error.name;
  }
}

/** What a fetch sends. */
async function sent(...args) {
  let raw;
  await createFetch((request) => {
    raw = request;
    return { status: 200, headers: [], body: new Uint8Array(0) };
  })(...args);
  return raw;
}

function answered(answer) {
  return createFetch(() => ({ status: 200, headers: [], body: new Uint8Array(0), ...answer }))(URL_);
}

/** Runs a handler that asks hosts. */
function asking(handler, http, asks = { hosts: ["api.example.com"] }) {
  return run(plugin({ name: "p", version: "1", ...asks, on: { x: handler } }), event("x"), { http });
}

test("headers are as by the standard", async () => {
  const inits = [
    [], [undefined], [{}], [{ B: " 1 ", a: "2\t" }], [[["a", "1"], ["A", "2"], ["set-cookie", "x"], ["Set-Cookie", "y"]]], [new Map([["a", 5]])],
    [{ "a b": "1" }], [{ "": "1" }], [{ a: "1\n2" }], [{ a: "\u0100" }], [{ a: "ÿ" }], [[["a"]]], [null], ["a"], [{ "é": "1" }],
  ];
  for (const init of inits) {
    const read = (Kind) => outcome(() => [...new Kind(...init)]);
    assert.deepEqual(await read(OurHeaders), await read(Headers), JSON.stringify(init));
  }
  const changed = (Kind) => {
    const headers = new Kind({ a: "1", b: "2", c: "3" });
    headers.append("A", "4");
    headers.set("B", "5");
    headers.set("d", "6");
    headers.delete("C");
    const each = [];
    headers.forEach((value, name) => each.push(name + value));
    return [each, headers.get("a"), headers.get("c"), headers.has("D"), [...headers.keys()], [...headers.values()], headers.getSetCookie(), String(headers), [...new Kind(headers)]];
  };
  assert.deepEqual(changed(OurHeaders), changed(Headers));
});

test("responses are as by the standard", async () => {
  const inits = [
    [], [null, { status: 204 }], ["grüße"], ["\ufeffx", { status: 500, statusText: "Oops" }], [Uint8Array.of(1, 255)], [Uint8Array.of(1, 2).buffer],
    [new URLSearchParams({ a: "b c" })], ["{}", { headers: { "content-type": "application/json" } }], ["", { status: 199 }], ["", { status: 600 }],
  ];
  for (const init of inits) {
    const read = (Kind) => outcome(async () => {
      const response = new Kind(...init);
      const { status, ok, statusText, url, redirected, bodyUsed, headers } = response;
      const bytes = new Uint8Array(await response.clone().arrayBuffer());
      return [status, ok, statusText, url, redirected, bodyUsed, [...headers], bytes, await response.text(), response.bodyUsed, await outcome(() => response.text())];
    });
    assert.deepEqual(await read(OurResponse), await read(Response), JSON.stringify(init));
  }
  const json = async (Kind) => {
    const response = Kind.json({ a: 1 }, { status: 201, headers: { b: "c" } });
    return [response.status, [...response.headers], await response.clone().json(), await outcome(() => new Kind("{").json())];
  };
  assert.deepEqual(await json(OurResponse), await json(Response));
});

test("a request is what was said", async () => {
  const nothing = { method: "GET", url: URL_, headers: [], body: new Uint8Array(0), timeoutMs: undefined };
  assert.deepEqual(await sent(URL_), nothing);
  assert.deepEqual(await sent(URL_, null), nothing);
  assert.deepEqual(await sent(new URL(URL_), { method: "post", body: "ü", timeoutMs: 0.5 }), {
    method: "POST",
    url: "https://api.example.com/v1/things?x=%C3%BC",
    headers: [["content-type", "text/plain;charset=UTF-8"]],
    body: new TextEncoder().encode("ü"),
    timeoutMs: 1,
  });
  const json = await sent(URL_, { method: "PATCH", headers: new Headers({ "Content-Type": "application/json", A: "1" }), body: "{}" });
  assert.deepEqual(json.headers, [["a", "1"], ["content-type", "application/json"]]);
  const form = await sent(URL_, { method: "PUT", body: new URLSearchParams({ a: "b c" }) });
  assert.deepEqual([form.headers[0][1], new TextDecoder().decode(form.body)], ["application/x-www-form-urlencoded;charset=UTF-8", "a=b+c"]);
  assert.equal((await sent("https://a/\ud800")).url, "https://a/\ufffd");
});

test("a request that makes no sense is not sent", async () => {
  const table = [
    [[{ url: URL_ }], "fetch takes the URL as text, or as a URL"],
    [[URL_, { body: "x" }], "a request with GET has no body"],
    [[URL_, { method: "POST", body: { a: 1 } }], "a body is text, bytes or URLSearchParams; for JSON, take JSON.stringify"],
    [[URL_, { headers: { "a b": "1" } }], "no header has the name `a b`"],
    [[URL_, { timeoutMs: -1 }], "a request takes for some time, and -1 ms is none"],
  ];
  for (const [args, message] of table) await assert.rejects(sent(...args), { message });
});

test("an answer is what came, whatever its status and headers", async () => {
  const headers = [["X-A", "1"], ["x-a", "2"], ["odd", "日本\n"], ["set-cookie", "a"], ["Set-Cookie", "b"]];
  const response = await answered({ status: 302, headers, body: new TextEncoder().encode('{"a":"ü"}') });
  const { status, ok, url, redirected } = response;
  assert.deepEqual([status, ok, url, redirected], [302, false, URL_, false]);
  assert.deepEqual([response.headers.get("X-a"), response.headers.get("odd"), response.headers.getSetCookie()], ["1, 2", "日本\n", ["a", "b"]]);
  const copy = response.clone();
  assert.deepEqual([await response.json(), await copy.text(), copy.headers.get("odd")], [{ a: "ü" }, '{"a":"ü"}', "日本\n"]);
  assert.equal((await answered({ status: 999 })).status, 999);
});

test("what the gateway says is the cause of a TypeError", async () => {
  const failing = (error) => createFetch(() => { throw error; })(URL_);
  const cause = new PowerError("timeout", "no whole answer within 5 ms");
  const told = await failing(cause).catch((error) => error);
  assert.ok(told instanceof TypeError);
  assert.deepEqual([told.name, told.message, told.cause], ["TypeError", "fetch failed", cause]);
  await assert.rejects(failing(new RangeError("a bug")), new RangeError("a bug"));
});

test("a signal says that a request is not to begin, or how long it may take", async () => {
  for (const Kind of [Controller, AbortController]) {
    const controller = new Kind();
    const heard = [];
    controller.signal.onabort = () => heard.push("on");
    controller.signal.addEventListener("abort", ({ type }) => heard.push(type));
    const gone = () => heard.push("gone");
    controller.signal.addEventListener("abort", gone);
    controller.signal.removeEventListener("abort", gone);
    assert.equal((await sent(URL_, { signal: controller.signal })).url, URL_);
    assert.equal(controller.signal.throwIfAborted(), undefined);
    controller.abort();
    controller.abort("again");
    assert.deepEqual([controller.signal.aborted, controller.signal.reason.name, heard.sort()], [true, "AbortError", ["abort", "on"]]);
    await assert.rejects(sent(URL_, { signal: controller.signal }), { name: "AbortError" });
    assert.throws(() => controller.signal.throwIfAborted(), { name: "AbortError" });
  }
  await assert.rejects(sent(URL_, { signal: Signal.abort(new Error("why")) }), new Error("why"));
  assert.equal((await sent(URL_, { signal: Signal.timeout(5000) })).timeoutMs, 5000);
  assert.equal((await sent(URL_, { signal: Signal.timeout(5000), timeoutMs: 1 })).timeoutMs, 1);
});

test("in a test, fetch asks whom the test made up", async () => {
  const post = async () => {
    const response = await fetch(URL_, { method: "POST", headers: new Headers({ a: "1" }), body: JSON.stringify({ b: 2 }) });
    assert.ok(response instanceof Response);
    console.log(response.status, response.headers.get("content-type"), await response.json());
  };
  const answer = { status: 201, body: { c: 3 } };
  for (const http of [{ [`POST ${URL_}`]: answer }, { [`POST ${URL_}`]: async () => answer }, () => answer]) {
    const { outcome, logs, requests: [request, ...more] } = await asking(post, http);
    assert.deepEqual([outcome, logs], ["done", ["info: 201 application/json { c: 3 }"]]);
    assert.deepEqual([request.method, request.url, request.headers.get("A"), request.json(), more], ["POST", URL_, "1", { b: 2 }, []]);
  }
});

test("in a test, nobody else is asked", async () => {
  const get = (url) => () => fetch(url);
  const answers = () => ({});
  const host = (name, more = {}) => ({ hosts: { [name]: more } });
  const table = [
    [get(URL_), undefined, undefined, "retry", `fetch failed: the test has no answer to GET ${URL_}: give it in \`http\``],
    [get(URL_), {}, undefined, "retry", `fetch failed: the test has no answer to GET ${URL_}: give it in \`http\``],
    [get(URL_), answers, {}, "retry", "fetch failed: the plugin did not ask for the host api.example.com: name it in `hosts`"],
    [get("https://evil-api.example.com/"), answers, host("*.api.example.com"), "retry", "fetch failed: the plugin did not ask for the host evil-api.example.com: name it in `hosts`"],
    [get("https://example.com/"), answers, host("*.example.com"), "retry", "fetch failed: the plugin did not ask for the host example.com: name it in `hosts`"],
    [get(URL_), answers, host("api.example.com", { methods: ["POST"] }), "retry", "fetch failed: the plugin did not ask for GET on the host api.example.com: name it in its `methods`"],
    [get(URL_), answers, host("*.example.com", { methods: ["GET"] }), "done", undefined],
    [get(URL_), answers, host("*"), "done", undefined],
    [get("nonsense"), answers, host("*"), "reject", "fetch failed: the URL cannot be read: nonsense"],
    [get("ftp://h/"), answers, host("*"), "reject", "fetch failed: the URL cannot be read: ftp://h/"],
    [get(URL_), () => { throw new PowerError("busy", "too many"); }, host("*"), "retry", "fetch failed: too many"],
  ];
  for (const [handler, http, asks, expected, reason] of table) {
    const { outcome, why } = await asking(handler, http, asks);
    assert.deepEqual([outcome, why], [expected, reason]);
  }
});

test("outside of runs, the globals are Node's", async () => {
  const [fetchBefore, ResponseBefore] = [fetch, Response];
  let within;
  await asking(() => { within = [fetch, Response]; }, () => ({}));
  assert.deepEqual([fetch === fetchBefore, Response === ResponseBefore, within.includes(fetchBefore), within.includes(ResponseBefore)], [true, true, false, false]);
});
