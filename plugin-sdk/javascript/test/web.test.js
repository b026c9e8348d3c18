// What the engine lacks and we bring, beside what Node has.

import assert from "node:assert/strict";
import { test } from "node:test";

import { structuredClone as clone } from "../gateway/clone.js";
import { URLSearchParams as Params } from "../gateway/search-params.js";
import * as text from "../gateway/text.js";
import { URL as Url } from "../gateway/url.js";

const BYTES = [0x00, 0x41, 0x7f, 0x80, 0x8f, 0x9f, 0xa0, 0xbf, 0xc0, 0xc3, 0xe0, 0xe6, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff];

/** What it gives, or the name of what it throws. */
function outcome(code) {
  try {
    return code();
  } catch (error) {
    return error.name;
  }
}

test("bytes are decoded as by the standard", () => {
  for (const a of BYTES) for (const b of BYTES) for (const c of BYTES) for (const d of [0x41, 0x80, 0xbf, 0xc3]) {
    const bytes = Uint8Array.of(a, b, c, d, 0x21);
    for (const options of [{}, { fatal: true }]) {
      const decoded = (decoder) => outcome(() => decoder.decode(bytes));
      assert.equal(decoded(new text.TextDecoder("utf-8", options)), decoded(new TextDecoder("utf-8", options)), `${bytes}`);
    }
  }
});

test("text goes there and back", () => {
  for (const sample of ["", "grüße 日本 🎬", "half \ud800 a pair", "x".repeat(20_000) + "ü"]) {
    const bytes = new text.TextEncoder().encode(sample);
    assert.deepEqual(bytes, new TextEncoder().encode(sample));
    assert.equal(new text.TextDecoder().decode(bytes), sample.toWellFormed());
  }
  const target = new Uint8Array(6);
  assert.deepEqual(new text.TextEncoder().encodeInto("aü🎬b", target), { read: 2, written: 3 });
});

test("a stream of bytes is decoded as one", () => {
  const bytes = new TextEncoder().encode("\ufeffgrüße 日本 🎬");
  for (let size = 1; size < 6; size++) {
    const decoder = new text.TextDecoder();
    let whole = "";
    for (let at = 0; at < bytes.length; at += size) whole += decoder.decode(bytes.subarray(at, at + size), { stream: true });
    assert.equal(whole + decoder.decode(), "grüße 日本 🎬");
  }
});

test("a byte order mark is taken off unless it is asked for", () => {
  const bytes = new TextEncoder().encode("\ufeffx");
  assert.equal(new text.TextDecoder().decode(bytes), "x");
  assert.equal(new text.TextDecoder("utf8", { ignoreBOM: true }).decode(bytes), "\ufeffx");
  assert.throws(() => new text.TextDecoder("latin1"), RangeError);
});

test("a clone is deep, and keeps what is the same", () => {
  const value = { date: new Date(5), map: new Map([["k", { a: [1, , 3] }]]), set: new Set(["x"]), bytes: Uint8Array.of(1, 2), error: new TypeError("t") };
  value.self = value;
  const copy = clone(value);
  assert.deepEqual(copy, structuredClone(value));
  assert.equal(copy.self, copy);
  assert.notEqual(copy.map.get("k"), value.map.get("k"));
  assert.deepEqual(Object.keys(clone(JSON.parse('{"__proto__": 1}'))), ["__proto__"]);
  for (const never of [() => {}, Symbol("s"), Promise.resolve(), new WeakMap()]) {
    assert.throws(() => clone({ never }), { name: "DataCloneError" });
  }
});

test("parameters are read and written as by the standard", () => {
  const samples = ["", "?a=1&b=2&a=3", "a=b=c&&d&=e", "x=%20+%C3%BC%zz%", "q=grüße 日本", [["a", "1"], ["a b", "c&d"]], { n: 5, "ü!'()~*": "-._" }];
  for (const sample of samples) {
    const [mine, theirs] = [new Params(sample), new URLSearchParams(sample)];
    assert.deepEqual([...mine], [...theirs]);
    assert.equal(String(mine), String(theirs));
  }
  for (const Kind of [Params, URLSearchParams]) {
    const params = new Kind("a=1&b=2&a=3");
    params.append("c", "4");
    params.set("a", "5");
    params.delete("b");
    params.sort();
    assert.deepEqual([String(params), params.get("x"), params.getAll("a"), params.has("c"), params.size], ["a=5&c=4", null, ["5"], true, 2]);
  }
});

const PROPERTIES = ["href", "origin", "protocol", "username", "password", "host", "hostname", "port", "pathname", "search", "hash"];

test("addresses are taken apart as by the standard", () => {
  const samples = [
    ["https://example.com"], ["HTTPS://User:p%40ss@Example.COM:443/a/../b/./c?x=1#y"], ["http://h:8080/%7Efoo/ü b?q=ü'\"#f ü"],
    ["  https://h/\t\n"], ["https:\\\\h\\a\\..\\b"], ["https:h"], ["http://127.0.0.1:80/"], ["http://[::1]:3000/x"],
    ["ftp://u@h/"], ["file:///etc/x"], ["mailto:a@b.c?subject=x y"], ["data:text/plain,hi there"], ["urn:isbn:1"], ["custom://h/p?q#f"],
    ["http://"], ["//h"], [""], ["nonsense"], ["http://a b/"], ["http://h:99999/"], ["http://1.2.3.400/"], ["https://@/"], ["https://exa%41mple.com/"],
    ["b", "https://h/a/c?q#f"], ["../b", "https://h/a/c/d"], ["/b", "https://h/a"], ["?b", "https://h/a?c#d"], ["#b", "https://h/a?c"],
    ["", "https://h/a?c#d"], ["//i/j", "https://h/a"], ["http://i", "https://h/a"], ["x", "mailto:a"], ["#x", "mailto:a"], ["..", "https://h/a/b/c"], ["./", "https://h/a/b"],
  ];
  for (const sample of samples) {
    const parts = (Kind) => outcome(() => PROPERTIES.map((name) => new Kind(...sample)[name]));
    assert.deepEqual(parts(Url), parts(URL), sample.join(" on "));
  }
});

test("parts of an address can be changed", () => {
  const changes = [
    ["protocol", "http"], ["protocol", "mailto"], ["username", "ü:"], ["password", "p@"], ["host", "i:81"], ["host", "i"], ["hostname", "j"], ["hostname", ""],
    ["port", "443"], ["port", "8080x"], ["port", ""], ["pathname", "x/../y z"], ["search", "a b=c"], ["search", ""], ["hash", "#h i"], ["hash", ""], ["href", "ftp://k/l"],
  ];
  for (const [name, value] of changes) {
    const changed = (Kind) => {
      const url = new Kind("https://u:p@h:444/a?b=c#d");
      url[name] = value;
      return [url.href, String(url.searchParams)];
    };
    assert.deepEqual(changed(Url), changed(URL), `${name} = ${value}`);
  }
  const url = new Url("https://h/?a=1");
  url.searchParams.append("b", "c d");
  assert.equal(url.href, "https://h/?a=1&b=c+d");
  url.search = "?e=f";
  assert.deepEqual([...url.searchParams], [["e", "f"]]);
  assert.deepEqual([Url.canParse("x"), Url.canParse("x", "https://h"), JSON.stringify({ url })], [false, true, '{"url":"https://h/?e=f"}']);
});
