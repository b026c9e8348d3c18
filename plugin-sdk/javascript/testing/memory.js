// A state that lasts from one run to the next.

import { PowerError } from "../lib/failure.js";
import { State } from "../lib/state.js";

const KEY_BYTES = 512;
const LOWEST = -(2n ** 63n);
const HIGHEST = 2n ** 63n - 1n;

let draftOf;

/** A plugin's state, kept in memory: a test can look into it and write to it like a handler. */
export class Memory extends State {
  #store;

  static {
    draftOf = (memory) => memory.#store.draft();
  }

  constructor(values = {}) {
    const store = new Store();
    super(store);
    this.#store = store;
    for (const [key, value] of Object.entries(values)) this.set(key, value);
  }
}

/** What a run sees and writes. What it wrote is kept when `keep` is called. */
export function draft(memory) {
  return draftOf(memory);
}

/** Values by key, as the contract has them. Each is bytes, and until when it is there. */
class Store {
  #values = new Map();
  #written = new Set();
  #original;

  draft() {
    const draft = new Store();
    draft.#original = this;
    draft.#values = new Map(this.#values);
    return draft;
  }

  keep() {
    for (const key of this.#written) this.#original.#write(key, this.#values.get(key));
  }

  get(key) {
    return this.#look(key)?.bytes.slice();
  }

  set(key, value, keepMs) {
    this.#write(key, { bytes: value.slice(), until: keepMs === undefined ? Infinity : Date.now() + keepMs });
  }

  delete(key) {
    this.#write(key, undefined);
  }

  keys(prefix, after, limit) {
    const found = [...this.#values.keys()].filter((key) => key.startsWith(prefix) && this.#look(key) !== undefined).sort(byBytes);
    return found.filter((key) => after === undefined || byBytes(key, after) > 0).slice(0, limit);
  }

  increment(key, by) {
    const found = this.#look(key) ?? { bytes: Buffer.from("0"), until: Infinity };
    const text = Buffer.from(found.bytes).toString();
    if (!/^[+-]?\d+$/.test(text)) throw new PowerError("invalid", "what stands under this key is no number");
    const sum = BigInt(text) + BigInt(by);
    if (sum < LOWEST || sum > HIGHEST) throw new PowerError("invalid", "the sum is out of range");
    this.#write(key, { ...found, bytes: new TextEncoder().encode(String(sum)) });
    return sum;
  }

  compareAndSet(key, expected, value, keepMs) {
    const found = this.#look(key)?.bytes;
    const same = found === undefined || expected === undefined ? found === expected : Buffer.compare(found, expected) === 0;
    if (same) this.set(key, value, keepMs);
    return same;
  }

  #look(key) {
    checked(key);
    const found = this.#values.get(key);
    return found && found.until > Date.now() ? found : undefined;
  }

  #write(key, value) {
    checked(key);
    this.#written.add(key);
    if (value === undefined) this.#values.delete(key);
    else this.#values.set(key, value);
  }
}

function checked(key) {
  const { length } = Buffer.from(key);
  if (length >= 1 && length <= KEY_BYTES) return;
  throw new PowerError("invalid", `a key has 1 to ${KEY_BYTES} bytes, and this has ${length}`);
}

function byBytes(a, b) {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
