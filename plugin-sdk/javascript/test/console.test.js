import assert from "node:assert/strict";
import { test } from "node:test";

import { createConsole } from "../lib/console.js";
import { format } from "../lib/format.js";

/** What a piece of code writes. */
function written(code) {
  const lines = [];
  code(createConsole((level, line) => lines.push(`${level}: ${line}`)).console);
  return lines;
}

test("each method has its level", () => {
  const lines = written((console) => {
    for (const method of ["trace", "debug", "log", "info", "warn", "error"]) console[method]("x", 1);
  });
  assert.deepEqual(lines, ["trace: x 1", "debug: x 1", "info: x 1", "info: x 1", "warn: x 1", "error: x 1"]);
});

test("lines of a text are lines of the log", () => {
  assert.deepEqual(written((console) => console.log("a\n b\n")), ["info: a", "info:  b"]);
});

test("groups, counts and assertions are as elsewhere", () => {
  const lines = written((console) => {
    console.group("g");
    console.log("in");
    console.groupEnd();
    console.count();
    console.count();
    console.assert(true, "not this");
    console.assert(false, "this");
  });
  assert.deepEqual(lines, ["info: g", "info:   in", "info: default: 1", "info: default: 2", "error: Assertion failed: this"]);
});

test("values are shown as they are written", () => {
  class Point {
    x = 1;
  }
  const loop = { name: "loop" };
  loop.self = loop;
  const broken = { get now() { throw new Error("no"); } };
  const table = [
    [["a %s b %d %j %% %o", "x", 5, { y: 1 }, ["z"], "rest"], 'a x b 5 {"y":1} % [ \'z\' ] rest'],
    [["100%", 1], "100% 1"],
    [[undefined, null, true, -0, 5n, Symbol("s")], "undefined null true -0 5n Symbol(s)"],
    [[{ a: [1, "it's", { b: undefined }], "c-d": {} }], "{ a: [ 1, 'it\\'s', { b: undefined } ], 'c-d': {} }"],
    [[new Map([["k", 1]]), new Set([1, 2])], "Map(1) { 'k' => 1 } Set(2) { 1, 2 }"],
    [[new Date(0), /x/g, Uint8Array.of(1, 2)], "1970-01-01T00:00:00.000Z /x/g Uint8Array(2) [ 1, 2 ]"],
    [[new Point(), loop, broken], "Point { x: 1 } { name: 'loop', self: [Circular] } { now: [Throws] }"],
    [[Point, () => {}, Object.create(null)], "[class: Point] [Function (anonymous)] {}"],
    [[{ a: { b: { c: { d: { e: { f: 1 } } } } } }], "{ a: { b: { c: { d: { e: [Object] } } } } }"],
  ];
  for (const [values, text] of table) assert.equal(format(values), text);
});

test("what is long is cut", () => {
  assert.match(format([Array(1000).fill(7)]), /7, \.\.\. 900 more \]$/);
  assert.ok(format([Array(100).fill("x".repeat(1000))]).length < 20_000);
});

test("errors are shown with where they were thrown and why", () => {
  const lines = format([new TypeError("t", { cause: new Error("c") })]).split("\n");
  assert.equal(lines[0], "TypeError: t");
  assert.match(lines[1], /^ +at .*console\.test\.js/);
  assert.ok(lines.includes("caused by Error: c"));
});
