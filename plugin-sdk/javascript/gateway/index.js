// What the gateway calls.

import { get } from "hookgate:plugin/settings@0.1.0";

import { Event } from "../lib/event.js";
import { outcomeOf as failureOf } from "../lib/failure.js";
import { attempt, contextOf, isThenable, Plugin, respond } from "../lib/plugin.js";
import { begin, wideOf } from "./call.js";
import { emit, state } from "./powers.js";
import { runJobs, takeUncaught } from "./promise.js";
import { worldOf, WRONG_WORLD } from "./worlds.js";

const STUCK = { outcome: "retry", why: "the handler waits for a promise that nothing will settle" };

/** The gateway keeps less of a reason, and takes no text without end. */
const REASON = 4096;

const host = {
  setting: (key) => get(key) ?? undefined,
  state,
  emit,
  trace: (error) => console.debug(error),
};

/** The exports of a plugin's component. */
export function serve(plugin, world) {
  if (!(plugin instanceof Plugin)) throw new TypeError("the default export of the file is not what `plugin({ ... })` made");
  if (worldOf(plugin) !== world) throw new Error(WRONG_WORLD);
  const context = contextOf(plugin, host);
  const call = (how, raw) => {
    begin(raw.receivedAtMs);
    const ended = outcomeOf(how(plugin, new Event(raw), context, host));
    if (ended.outcome !== "done") throw failure(ended);
    return ended.answer;
  };
  const handler = {
    describe() {
      begin();
      return wellFormed(plugin.manifest);
    },
    handle: (raw) => call(attempt, raw),
  };
  return { handler, responder: { respond: (raw) => call(respond, raw) } };
}

/** Runs the jobs that the handler left until nothing is left that could go on. */
function outcomeOf(attempted) {
  let ended = attempted;
  if (isThenable(attempted)) {
    ended = undefined;
    attempted.then((outcome) => {
      ended = outcome;
    });
  }
  runJobs();
  const uncaught = takeUncaught();
  for (const error of uncaught) console.error("nobody caught", error);
  if (ended === undefined) return STUCK;
  // A handler that forgot to wait is not done: Node would end the process.
  return ended.outcome === "done" && uncaught.length > 0 ? failureOf(uncaught[0]) : ended;
}

/** As the contract has it. */
function failure({ outcome, why, afterMs }) {
  const text = why.slice(0, REASON).toWellFormed();
  if (outcome === "reject") return { tag: "reject", val: text };
  return { tag: "retry", val: { why: text, afterMs: wideOf(afterMs) } };
}

/** A text with half a character in it would end the plugin: the contract knows none. */
function wellFormed(value) {
  if (typeof value === "string") return value.toWellFormed();
  if (Array.isArray(value)) return value.map(wellFormed);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, wellFormed(item)]));
}
