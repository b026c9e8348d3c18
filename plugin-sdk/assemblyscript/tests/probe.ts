// A plugin that shows what the SDK does inside.

import {
  emit, emitBytes, Event, Got, http, Kind, log, now, on, Pair, plugin, Problem, quote, randomBytes, Request, Result, setting, state,
} from "hookgate-plugin-as";
import { matches } from "hookgate-plugin-as/pattern";
import { Answer, Field, reply } from "hookgate-plugin-as/responder";

export { cabi_post_respond, respond } from "hookgate-plugin-as/responder";

plugin("probe", "0.0.1")
  .setting("needed", null, "Has no default.")
  .setting("mark", "!")
  .setting("limit", "5", "", "integer")
  .host("api.example.com", "Where things are.", "GET POST", "bearer")
  .host("*.example.org", "", "", "", true)
  .state("What was touched.")
  .emits("made.*");

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

function tell(problem: Problem | null): void {
  if (!problem) return;
  const kinds = ["denied", "invalid", "limit", "busy", "timeout", "failed"];
  log.info(`${kinds[problem.kind]}: ${problem.why}`);
}

// Each line of the payload is a step: a word, and what it needs.
on("probe.state", (event: Event): Result => {
  const steps = event.text!.split("\n");
  for (let i = 0; i < steps.length; i++) {
    const step = steps[i].split(" ");
    const key = step[1] == "''" ? "" : step[1];
    if (step[0] == "get") {
      const got = state.getText(key);
      if (got.failed) tell(got.problem);
      else log.info(got.value === null ? "nothing" : `=${got.value!}`);
    } else if (step[0] == "set") {
      tell(state.setText(key, step[2], step.length > 3 ? <u64>parseInt(step[3]) : 0));
    } else if (step[0] == "bytes") {
      tell(state.set(key, new Uint8Array(<i32>parseInt(step[2])).fill(255)));
    } else if (step[0] == "size") {
      const bytes = state.get(key).value;
      log.info(bytes ? bytes.length.toString() : "nothing");
    } else if (step[0] == "remove") {
      tell(state.remove(key));
    } else if (step[0] == "keys") {
      const got = state.keys(key, step[2] == "-" ? null : step[2], <u32>parseInt(step[3]));
      if (got.failed) tell(got.problem);
      else log.info(`[${got.value.join(" ")}]`);
    } else if (step[0] == "add") {
      const got = state.increment(key, I64.parseInt(step[2]));
      if (got.failed) tell(got.problem);
      else log.info(got.value.toString());
    } else if (step[0] == "swap") {
      const got = state.compareAndSetText(key, step[2] == "-" ? null : step[2] == "''" ? "" : step[2], step[3]);
      if (got.failed) tell(got.problem);
      else log.info(got.value.toString());
    } else if (step[0] == "emit") {
      tell(emit(key, step[2], step.length > 3 ? [new Pair("n", step[3])] : []));
    } else if (step[0] == "return") {
      const got = state.get(key);
      return got.failed ? got.result : Result.retry("not now");
    } else if (step[0] == "value") {
      log.info(state.increment(key).value.toString());
    }
  }
  return Result.done();
});

on("probe.http", (event: Event): Result => {
  const method = event.attribute("method")!;
  const request = new Request(method, event.attribute("url")!).header("x-one", "ü");
  if (event.attribute("quick")) request.within(250);
  const got = http.send(event.payload.length ? request.json(`{"text":${quote(event.text!)}}`) : request);
  if (got.failed) return got.result;
  const response = got.value;
  const missing = response.header("x-missing");
  const text = response.text;
  log.info(`${response.status} ${response.headers.length} ${response.header("X-TWO")!} ${missing === null}`);
  log.info(`${text === null ? "no text" : text} ${response.jsonNumber("/n")} ${response.body.length}`);
  tell(emitBytes("made.answer", response.body));
  return Result.done();
});

reply(["probe.answer", "frameio:ask.*"], (event: Event): Answer => {
  tell(state.setText("asked", event.type));
  const what = event.text!;
  if (what == "text") return Answer.text("Hi ü");
  if (what == "bare") return Answer.of(204);
  if (what == "header") return Answer.json("{}").header("x-one", "1");
  if (what == "message") return Answer.message("Done", 'one\n"two"');
  if (what == "form") {
    return Answer.form("Ask", "", [
      new Field("text", "Title", "title", "a\\b"),
      new Field("boolean", "Now", "now", "true"),
      new Field("select", "Prio", "prio").option("High", "h").option("Low", "l"),
    ]);
  }
  if (what == "problem") return Answer.failed(state.get("").result);
  return Answer.failed(Result.retryAfter("not now", 1000));
});

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
