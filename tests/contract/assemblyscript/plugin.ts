// The plugin that every language's SDK is tested with.

import { Event, log, on, plugin, Result, setting } from "hookgate-plugin-as";

plugin("contract", "1.2.3")
  .setting("greeting", "hello", "What it says.")
  .setting("missing", "");

on("contract.fields", (event: Event): Result => {
  const fields = [
    event.id,
    event.source,
    event.provider,
    event.type,
    event.receivedAtMs.toString(),
    event.attempt.toString(),
    event.resourceId || "none",
    event.resourceType || "none",
    event.accountId || "none",
    event.userId || "none",
    event.projectId || "none",
    event.workspaceId || "none",
    event.attribute("custom") || "none",
    event.attribute("absent") || "none",
  ];
  log.info("fields " + fields.join(" "));
  return Result.done();
});

on(["contract.one", "contract.two"], (event: Event): Result => {
  log.info(`several ${event.type}`);
  return Result.done();
});

on("contract.wild.*", (event: Event): Result => {
  log.info(`wild ${event.type}`);
  return Result.done();
});

on("github:contract.from", (event: Event): Result => {
  log.info(`from ${event.provider}`);
  return Result.done();
});

on("contract.log", (event: Event): Result => {
  console.debug("a debug line");
  console.info("an info line");
  console.warn("a warning");
  console.error("an error");
  console.log("grüße 日本 🎬");
  return Result.done();
});

on("contract.setting", (event: Event): Result => {
  log.info(`greeting=${setting("greeting")!} missing=${setting("missing")!}`);
  return Result.done();
});

on("contract.reject", (event: Event): Result => Result.reject("never: ü"));

on("contract.retry", (event: Event): Result => Result.retry("later: ü"));

on("contract.retry-after", (event: Event): Result => Result.retryAfter("busy", 90_000));

on("contract.trap", (event: Event): Result => {
  const empty: i32[] = [];
  log.info(`never logged: ${empty[7]}`);
  return Result.done();
});

on("contract.payload", (event: Event): Result => {
  let sum: u64 = 0;
  for (let i = 0; i < event.payload.length; i++) sum += event.payload[i];
  log.info(`payload ${event.payload.length} ${sum}`);
  return Result.done();
});

on("contract.text", (event: Event): Result => {
  const text = event.text;
  if (text === null) return Result.reject("the payload is not UTF-8");
  log.info(`text ${text}`);
  return Result.done();
});

on("contract.clock", (event: Event): Result => {
  log.info(`clock ${Date.now()}`);
  return Result.done();
});

on("contract.random", (event: Event): Result => {
  log.info(`random ${Math.random()}`);
  return Result.done();
});
