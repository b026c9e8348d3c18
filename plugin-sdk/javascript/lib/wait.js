// How long something takes or is kept.

import { PowerError } from "./failure.js";

/** Whole milliseconds, rounded up; undefined where nothing is said. */
export function wait(ms, what) {
  if (ms === undefined) return undefined;
  if (!(ms >= 0 && ms <= Number.MAX_SAFE_INTEGER)) throw new PowerError("invalid", `${what} for some time, and ${ms} ms is none`);
  return Math.ceil(ms);
}
