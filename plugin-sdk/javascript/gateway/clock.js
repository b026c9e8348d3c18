// The time, from the gateway's clock: the engine's own stands still, or is not there.

import { nowMs } from "hookgate:plugin/clock@0.1.0";

import { isLive } from "./call.js";

const EngineDate = globalThis.Date;

/** Milliseconds since 1970. While the plugin is built, the clock of the machine that builds it. */
export function now() {
  return isLive() ? Number(nowMs()) : EngineDate.now();
}

/** `Date` as it was, but for what it reads from the clock. */
function PluginDate(...args) {
  if (!new.target) return new EngineDate(now()).toString();
  return Reflect.construct(EngineDate, args.length === 0 ? [now()] : args, new.target);
}

Object.defineProperties(PluginDate, {
  name: { value: "Date" },
  length: { value: 7 },
  prototype: { value: EngineDate.prototype, writable: false },
  now: { value: now, writable: true, configurable: true },
  parse: { value: EngineDate.parse, writable: true, configurable: true },
  UTC: { value: EngineDate.UTC, writable: true, configurable: true },
});
Object.defineProperty(EngineDate.prototype, "constructor", { value: PluginDate, writable: true, configurable: true });

/** The gateway has milliseconds only. */
const performance = { timeOrigin: 0, now };

export { PluginDate as Date, performance };
