// A console whose lines go to the gateway's log.

import { format, inspect } from "./format.js";

/** Makes a console of `write(level, message)`, where a message is one line; and what forgets groups, counts and timers. */
export function createConsole(write) {
  const timers = new Map();
  const counts = new Map();
  let indent = "";

  const log = (level, values) => {
    const text = format(values);
    for (const line of text.replace(/[\r\n]+$/, "").split("\n")) write(level, indent + line);
  };
  const elapsed = (label, values) => {
    if (timers.has(label)) log("info", [`${label}: ${Date.now() - timers.get(label)} ms`, ...values]);
  };
  const group = (...values) => {
    if (values.length > 0) log("info", values);
    indent += "  ";
  };

  const console = {
    trace: (...values) => log("trace", values),
    debug: (...values) => log("debug", values),
    log: (...values) => log("info", values),
    info: (...values) => log("info", values),
    warn: (...values) => log("warn", values),
    error: (...values) => log("error", values),
    dir: (value) => log("info", [inspect(value)]),
    dirxml: (...values) => log("info", values),
    table: (value) => log("info", [value]),
    assert: (holds, ...values) => {
      if (!holds) log("error", values.length === 0 ? ["Assertion failed"] : ["Assertion failed:", ...values]);
    },
    count: (label = "default") => {
      counts.set(label, (counts.get(label) ?? 0) + 1);
      log("info", [`${label}: ${counts.get(label)}`]);
    },
    countReset: (label = "default") => void counts.delete(label),
    time: (label = "default") => void timers.set(label, Date.now()),
    timeLog: (label = "default", ...values) => elapsed(label, values),
    timeEnd: (label = "default") => {
      elapsed(label, []);
      timers.delete(label);
    },
    group,
    groupCollapsed: group,
    groupEnd: () => {
      indent = indent.slice(2);
    },
    clear: () => {},
  };
  const reset = () => {
    timers.clear();
    counts.clear();
    indent = "";
  };
  return { console, reset };
}
