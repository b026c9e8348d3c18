// A plugin that shows what the SDK does inside.

import { Event, log, now, on, plugin, randomBytes, Result, setting } from "hookgate-plugin-as";
import { matches } from "hookgate-plugin-as/pattern";

plugin("probe", "0.0.1").setting("needed", null, "Has no default.").setting("mark", "!");

console.log("the top level can log");

let calls = 0;

on("probe.matches", (event: Event): Result => {
  const odd = new Event("", "studio", "frameio", event.attribute("type")!, 0, 1, event.attributes, event.payload);
  log.info(matches(event.attribute("pattern")!, odd).toString());
  return Result.done();
});

on("probe.json", (event: Event): Result => {
  const pointer = event.attribute("pointer")!;
  const text = event.jsonString(pointer);
  log.info(text === null ? "nothing" : `=${text}`);
  log.info(event.jsonNumber(pointer).toString());
  return Result.done();
});

on("probe.text", (event: Event): Result => {
  const text = event.text;
  if (text === null) return Result.reject("the payload is not UTF-8");
  log.info(`=${text}`);
  return Result.done();
});

on("probe.time", (event: Event): Result => {
  log.info(`${now()} ${Date.now()} ${performance.now()} ${event.receivedAt.toISOString()}`);
  log.info(new Date(Date.now()).toISOString());
  return Result.done();
});

on("probe.random", (event: Event): Result => {
  const bytes = new Uint8Array(5000);
  crypto.getRandomValues(bytes);
  log.info(`${Math.random()} ${randomBytes(8)} ${randomBytes(0).length} ${bytes.slice(4990)}`);
  return Result.done();
});

on("probe.console", (event: Event): Result => {
  trace("traced", 2, 1, 2.5);
  console.time("work");
  console.timeEnd("work");
  console.assert(true, "never logged");
  console.assert(false, "told");
  log.info("half of a character: " + "🎬".charAt(0));
  return Result.done();
});

on("probe.settings", (event: Event): Result => {
  const needed = setting("needed");
  log.info(`${needed === null ? "nothing" : needed} ${setting("mark")!} ${setting("unknown") === null}`);
  return Result.done();
});

on("probe.throw", (event: Event): Result => {
  throw new Error("it is broken: ü");
});

on("probe.null", (event: Event): Result => Result.reject(event.resourceId!));

function deeper(n: i32): string {
  const text = n.toString();
  return deeper(n + 1) + text;
}

on("probe.deep", (event: Event): Result => Result.reject(deeper(0)));

on("probe.calls", (event: Event): Result => {
  log.info(`${++calls} ${event.resourceId!} ${event.payload.length} ${setting("mark")!}`);
  if (event.attempt % 3 == 1) return Result.reject(`never ${calls}`);
  if (event.attempt % 3 == 2) return Result.retryAfter(`later ${calls}`, 1_000);
  return Result.done();
});
