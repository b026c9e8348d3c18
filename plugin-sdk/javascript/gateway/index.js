// What the gateway calls.

import { get } from "hookgate:plugin/settings@0.1.0";

import { Event } from "../lib/event.js";
import { outcomeOf as failureOf } from "../lib/failure.js";
import { attempt, contextOf, isThenable, Plugin } from "../lib/plugin.js";
import { begin } from "./call.js";
import { runJobs, takeUncaught } from "./promise.js";

const STUCK = { outcome: "retry", why: "the handler waits for a promise that nothing will settle" };

/** The gateway keeps less of a reason, and takes no text without end. */
const REASON = 4096;

const host = {
  setting: (key) => get(key) ?? undefined,
  trace: (error) => console.debug(error),
};

/** The exports of a plugin's component. */
export function serve(plugin) {
  if (!(plugin instanceof Plugin)) throw new TypeError("the default export of the file is not what `plugin({ ... })` made");
  const context = contextOf(plugin, host);
  return {
    describe() {
      begin();
      return wellFormed(plugin.manifest);
    },
    handle(raw) {
      begin();
      const ended = outcomeOf(attempt(plugin, new Event(raw), context, host));
      if (ended.outcome !== "done") throw failure(ended, typeof raw.receivedAtMs);
    },
  };
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

/** As the contract has it. Engines differ in how they give and take numbers of 64 bits. */
function failure({ outcome, why, afterMs }, wide) {
  const text = why.slice(0, REASON).toWellFormed();
  if (outcome === "reject") return { tag: "reject", val: text };
  const after = wide === "bigint" && afterMs !== undefined ? BigInt(afterMs) : afterMs;
  return { tag: "retry", val: { why: text, afterMs: after } };
}

/** A text with half a character in it would end the plugin: the contract knows none. */
function wellFormed(value) {
  if (typeof value === "string") return value.toWellFormed();
  if (Array.isArray(value)) return value.map(wellFormed);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, wellFormed(item)]));
}
