// What a plugin remembers from one event to the next.

import { bytesOf, textOf } from "./bytes.js";
import { PowerError } from "./failure.js";
import { wait } from "./wait.js";

/** The most keys that the gateway gives at a time. */
const KEYS = 1000;

/** A plugin's state. `host` has what the contract has. */
export class State {
  #host;

  constructor(host) {
    this.#host = host;
  }

  get(key) {
    return this.#host.get(keyOf(key));
  }

  getText(key) {
    const bytes = this.get(key);
    return bytes && textOf(bytes, () => new Error(`what the state has under \`${key}\` is not UTF-8`));
  }

  getJson(key) {
    const text = this.getText(key);
    if (text === undefined) return undefined;
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new Error(`what the state has under \`${key}\` is not JSON`, { cause });
    }
  }

  set(key, value, { keepMs } = {}) {
    this.#host.set(keyOf(key), bytesOf(value, "the value"), wait(keepMs, "a value is kept"));
  }

  delete(key) {
    this.#host.delete(keyOf(key));
  }

  keys({ prefix = "", after, limit = KEYS } = {}) {
    if (!(Number.isInteger(limit) && limit >= 0)) throw new PowerError("invalid", `there cannot be ${limit} keys`);
    return this.#host.keys(keyOf(prefix), after === undefined ? undefined : keyOf(after), Math.min(limit, KEYS));
  }

  increment(key, by = 1) {
    if (!Number.isSafeInteger(by)) throw new PowerError("invalid", `${by} cannot be added to a number: it is no safe integer`);
    const sum = this.#host.increment(keyOf(key), by);
    if (Number.isSafeInteger(Number(sum))) return Number(sum);
    // Not every engine gives all of its digits: the text under the key has them.
    return BigInt(this.getText(key));
  }

  compareAndSet(key, expected, value, { keepMs } = {}) {
    const before = expected === undefined || expected === null ? undefined : bytesOf(expected, "the expected value");
    return this.#host.compareAndSet(keyOf(key), before, bytesOf(value, "the value"), wait(keepMs, "a value is kept"));
  }
}

function keyOf(key) {
  if (typeof key !== "string") throw new TypeError(`a key is a string, and this is ${typeof key}`);
  return key.toWellFormed();
}
