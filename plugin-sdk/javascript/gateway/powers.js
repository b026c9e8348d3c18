// What the gateway does for a plugin that was granted it.

import { emit as emitEvent } from "hookgate:plugin/events@0.1.0";
import { send as sendRequest } from "hookgate:plugin/http@0.1.0";
import { compareAndSet, delete as remove, get, increment, keys, set } from "hookgate:plugin/state@0.1.0";

import { bytesOf, textOf } from "../lib/bytes.js";
import { PowerError } from "../lib/failure.js";
import { isLive, wideOf } from "./call.js";

const LOWEST = -(2n ** 63n);

/** The state, as lib/state.js wants it. */
export const state = {
  get: (key) => asked(() => get(key)) ?? undefined,
  set: (key, value, keepMs) => asked(() => set(key, value, wideOf(keepMs))),
  delete: (key) => asked(() => remove(key)),
  keys: (prefix, after, limit) => asked(() => keys(prefix, after, limit)),
  increment: (key, by) => asked(() => (by < 0 && typeof wideOf(by) === "bigint" ? lower(key, by) : increment(key, wideOf(by)))),
  compareAndSet: (key, expected, value, keepMs) => asked(() => compareAndSet(key, expected, value, wideOf(keepMs))),
};

/**
 * StarlingMonkey ends where it is to pass on a negative number of 64 bits. Nobody changes what a call has read until it is
 * over, so to read and to write is the same, but that the value then has no end.
 */
function lower(key, by) {
  const wrong = () => new PowerError("invalid", "what stands under this key is no number");
  const text = textOf(get(key) ?? bytesOf("0"), wrong);
  if (!/^[+-]?\d+$/.test(text)) throw wrong();
  const sum = BigInt(text) + BigInt(by);
  if (sum < LOWEST) throw new PowerError("invalid", "the sum is out of range");
  set(key, bytesOf(String(sum)));
  return sum;
}

/** Makes an event. */
export function emit(type, payload, attributes) {
  asked(() => emitEvent(type, payload, attributes));
}

/** Sends a request, as lib/fetch.js wants it. */
export function send(request) {
  return asked(() => sendRequest({ ...request, timeoutMs: wideOf(request.timeoutMs) }));
}

function asked(ask) {
  if (!isLive()) throw new Error("there is no gateway yet: this code runs when the plugin is built; move it into a handler");
  try {
    return ask();
  } catch (thrown) {
    throw errorOf(thrown);
  }
}

/** Engines wrap what the gateway says in errors of their own. */
function errorOf(thrown) {
  const { kind, why } = thrown?.payload ?? {};
  return kind === undefined ? thrown : new PowerError(kind, why);
}
