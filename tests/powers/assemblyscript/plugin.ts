// The plugin that uses every power: it does what the test of the powers asks for by the event's type.

import { emit, Event, http, log, on, Pair, plugin, Problem, Request, Result, setting, state } from "hookgate-plugin-as";
import { Answer, reply } from "hookgate-plugin-as/responder";

export { respond, cabi_post_respond } from "hookgate-plugin-as/responder";

const ONE_HOUR_MS = 60 * 60 * 1000;

plugin("powers", "1.0.0")
  .setting("limit", "3", "How many.", "integer")
  .state("What it did.")
  .host("*", "", "GET POST", "bearer", true)
  .emits("made.*");

function logKeys(what: string): Problem | null {
  const keys = state.keys("k");
  if (!keys.failed) log.info(`${what} ${keys.value.join(" ")}`);
  return keys.problem;
}

function swap(): Problem | null {
  const swapped = state.compareAndSetText("k", "v1", "v2");
  if (!swapped.failed) log.info(`swapped ${swapped.value}`);
  return swapped.problem;
}

on("powers.state", (event: Event): Result => {
  let problem = state.setText("k", "v1");
  if (problem) return problem.result;
  const text = state.getText("k");
  if (text.failed) return text.result;
  log.info("got " + (text.value || "none"));
  const sum = state.increment("n", 2);
  if (sum.failed) return sum.result;
  log.info(`n ${sum.value}`);
  const bytes = new Uint8Array(2);
  bytes[1] = 0xff;
  problem = state.set("k2", bytes);
  if (problem) return problem.result;
  problem = logKeys("keys");
  if (problem) return problem.result;
  problem = state.remove("k2");
  if (problem) return problem.result;
  problem = logKeys("left");
  if (problem) return problem.result;
  problem = swap();
  if (problem) return problem.result;
  problem = swap();
  if (problem) return problem.result;
  const none = state.get("none");
  if (none.failed) return none.result;
  log.info("none " + (none.value !== null ? "yes" : "no"));
  problem = state.setText("soon", "x", ONE_HOUR_MS);
  if (problem) return problem.result;
  log.info(`limit ${setting("limit")!}`);
  return Result.done();
});

on("powers.http", (event: Event): Result => {
  const url = event.jsonString("/url");
  if (url === null) return Result.reject("a payload without a url");
  const got = http.send(new Request("POST", url).header("x-own", "1").text("hello"));
  if (got.failed) return got.result;
  const told = got.value.text;
  if (told === null) return Result.retry("the answer is not UTF-8");
  log.info(`status ${got.value.status}`);
  log.info("told " + told.replaceAll("\n", " "));
  return Result.done();
});

on("powers.emit", (event: Event): Result => {
  const problem = emit("made.it", '{"n":1}', [new Pair("why", "because")]);
  if (problem) return problem.result;
  log.info("emitted");
  return Result.done();
});

function logKind(problem: Problem | null): void {
  const kinds = ["denied", "invalid", "limit", "busy", "timeout", "failed"];
  log.info(problem ? kinds[problem.kind] : "none");
}

on("powers.denied", (event: Event): Result => {
  logKind(emit("other.it", ""));
  logKind(http.get("https://not.granted.example/").problem);
  logKind(state.get("").problem);
  return Result.done();
});

on("powers.escape", (event: Event): Result => {
  const got = state.get("");
  return got.failed ? got.result : Result.done();
});

on("powers.forget", (event: Event): Result => {
  let problem = state.setText("lost", "x");
  if (problem) return problem.result;
  problem = emit("made.lost", "");
  if (problem) return problem.result;
  return Result.retry("not now");
});

reply("powers.ask", (event: Event): Answer => {
  const sum = state.increment("asked");
  if (sum.failed) return Answer.failed(sum.result);
  const said = event.text;
  if (said === null) return Answer.failed(Result.reject("the payload is not UTF-8"));
  if (said == "fail") return Answer.failed(Result.retry("cannot"));
  if (said == "message") return Answer.message("T", "D");
  const answer = Answer.of(201).header("x-answered", "yes");
  answer.body = Uint8Array.wrap(String.UTF8.encode(`asked ${sum.value} ${said}`));
  return answer;
});
