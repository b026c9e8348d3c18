import assert from "node:assert/strict";
import { test } from "node:test";

import { transformSync } from "esbuild";

import * as ours from "../gateway/promise.js";

const PROGRAM = `
  const later = (name, value) => Promise.resolve().then(() => { log(name); return value; });
  const failing = async (name) => { await null; throw new Error(name); };
  async function* numbers() { yield 1; yield await later("yielded", 2); }
  async function main() {
    log("start");
    queueMicrotask(() => log("microtask"));
    new Promise((resolve) => { resolve(later("inner", "deep")); }).then(log);
    Promise.resolve({ then: (resolve) => { log("thenable"); resolve("thenable's"); } }).then(log);
    try { await failing("caught"); } catch (error) { log(error.message); } finally { log("finally"); }
    for await (const number of numbers()) log(number);
    log(await Promise.all([later("a", 1), 2, later("b", 3)]));
    log(await Promise.allSettled([later("c", 1), failing("d")]));
    log(await Promise.race([new Promise(() => {}), later("e", "won")]));
    log(await Promise.any([failing("f"), later("g", "any")]));
    await Promise.any([failing("h")]).catch((error) => log(error.constructor.name, error.errors.length));
    log(await later("i", 5).finally(() => later("j")).then((value) => value + 1));
    await Promise.reject(new Error("k")).finally(() => log("l")).catch((error) => log(error.message));
    const { promise, resolve } = Promise.withResolvers(); resolve("m"); resolve("n"); log(await promise);
    class Mine extends Promise {}
    log(Mine.resolve(1).then(() => {}) instanceof Mine, Promise.resolve(promise) === promise);
    const self = new Promise((resolve) => queueMicrotask(() => resolve(self)));
    await self.catch((error) => log(error.constructor.name));
    log(String(Promise.resolve()), Promise.name, await new Promise((_, reject) => reject("o")).catch((o) => o));
    return "end";
  }
  main().then(log, log);
`;

async function native() {
  const lines = [];
  const withResolvers = () => {
    const made = {};
    made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
    return made;
  };
  Promise.withResolvers ??= withResolvers;
  new Function("log", PROGRAM)((...values) => lines.push(JSON.stringify(values)));
  await new Promise((resolve) => setTimeout(resolve, 20));
  return lines;
}

function lowered() {
  const lines = [];
  const supported = { "async-await": false, "async-generator": false, "for-await": false };
  const { code } = transformSync(PROGRAM, { supported });
  const log = (...values) => lines.push(JSON.stringify(values));
  new Function("log", "Promise", "queueMicrotask", code)(log, ours.Promise, ours.queueMicrotask);
  ours.runJobs();
  return lines;
}

test("our promises do what the language's do", async () => {
  const lines = lowered();
  assert.equal(lines.at(-1), '["end"]');
  assert.deepEqual([...lines].sort(), (await native()).sort());
  assert.deepEqual(ours.takeUncaught(), []);
});

test("jobs run in the order in which they were queued", async () => {
  const order = async (Promise, queueMicrotask, settle) => {
    const lines = [];
    const log = (name) => () => void lines.push(name);
    const resolved = Promise.resolve();
    resolved.then(log("a1")).then(log("a2")).then(log("a3"));
    queueMicrotask(log("micro"));
    new Promise((resolve) => resolve(resolved)).then(log("wrapped"));
    Promise.reject(1).catch(log("b1")).then(log("b2"));
    Promise.all([1, resolved]).then(log("all"));
    resolved.finally(log("finally")).then(log("after"));
    await settle();
    return lines;
  };
  const natives = await order(Promise, queueMicrotask, () => new Promise((resolve) => setTimeout(resolve, 10)));
  assert.deepEqual(await order(ours.Promise, ours.queueMicrotask, ours.runJobs), natives);
});

test("errors that nobody catches are kept for who asks", () => {
  const late = ours.Promise.reject("late");
  ours.Promise.reject("lost");
  ours.queueMicrotask(() => { throw "thrown"; });
  late.catch(() => {});
  ours.runJobs();
  assert.deepEqual(ours.takeUncaught(), ["thrown", "lost"]);
  assert.deepEqual(ours.takeUncaught(), []);
});
