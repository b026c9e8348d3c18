// Tests without the gateway: runs a built plugin in Node, as the gateway would.
//
//     const plugin = load("quota-watch.wasm");
//     const ran = plugin.handle(event("quota.warning", { payload: { data: { used: 9 } } }));
//     assert.deepEqual(ran, { outcome: "done", logs: ["warn: ..."] });

import { randomFillSync } from "node:crypto";
import { readFileSync } from "node:fs";

const LEVELS = ["trace", "debug", "info", "warn", "error"];
const RANDOM_BYTES = 4096;

/**
 * Makes up an event of a type: the source and the provider are `test`, it is the first attempt, and the body is empty.
 *
 * `fields` are any of `id`, `source`, `provider`, `receivedAtMs`, `attempt`, `attributes` and `payload`. A payload is text,
 * bytes, or anything else, which becomes JSON.
 */
export function event(type, fields = {}) {
  return {
    id: "evt_0000000000000",
    source: "test",
    provider: "test",
    receivedAtMs: 1767225600000, // 2026-01-01
    attempt: 1,
    attributes: {},
    payload: "",
    ...fields,
    type,
  };
}

/** Loads a plugin from its `.wasm` file. */
export function load(file) {
  return new Plugin(new WebAssembly.Module(readFileSync(file)));
}

class Plugin {
  #module;

  constructor(module) {
    this.#module = module;
    /** What the plugin says of itself: `name`, `version`, `subscriptions`, `asks`. */
    this.manifest = new Instance(module, {}, undefined).describe();
  }

  /**
   * Handles an event in a fresh instance, as the gateway does.
   *
   * Gives `{ outcome, logs }`, where the outcome is `done`, `reject`, `retry` or `trapped`. All but `done` have a `why`, and a
   * retry has `afterMs` where it asks for a wait. `logs` are lines such as `info: hello`. `settings` are granted in place
   * of the defaults, and `nowMs` stops the clock.
   */
  handle(event, { settings = {}, nowMs } = {}) {
    return this.start({ settings, nowMs }).handle(event);
  }

  /** One instance for many events, as the gateway keeps it where the operator says so. */
  start({ settings = {}, nowMs } = {}) {
    const defaults = this.manifest.asks.flatMap((ask) => ("default" in ask.detail ? [[ask.name, ask.detail.default]] : []));
    return new Instance(this.#module, { ...Object.fromEntries(defaults), ...settings }, nowMs);
  }
}

class Instance {
  #exports;
  #settings;
  #nowMs;
  #logs = [];
  #isDead = false;

  constructor(module, settings, nowMs) {
    this.#settings = settings;
    this.#nowMs = nowMs;
    this.#exports = new WebAssembly.Instance(module, this.#imports()).exports;
    this.#orTell(() => this.#exports._initialize?.());
  }

  /** How much memory the plugin has taken. */
  get memoryBytes() {
    return this.#exports.memory.buffer.byteLength;
  }

  describe() {
    const at = this.#orTell(() => this.#exports.describe());
    const manifest = {
      name: this.#textAt(at),
      version: this.#textAt(at + 8),
      subscriptions: this.#list(at + 16, 8).map((item) => this.#textAt(item)),
      asks: this.#list(at + 24, 24).map((ask) => ({
        what: this.#textAt(ask),
        name: this.#textAt(ask + 8),
        detail: Object.fromEntries(this.#list(ask + 16, 16).map((pair) => [this.#textAt(pair), this.#textAt(pair + 8)])),
      })),
    };
    this.#exports.cabi_post_describe?.(at);
    return manifest;
  }

  handle(event) {
    if (this.#isDead) throw new Error("this instance has trapped: start another one");
    let outcome;
    try {
      const at = this.#exports.handle(...this.#lowerEvent(event));
      outcome = this.#liftResult(at);
      this.#exports.cabi_post_handle?.(at);
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
      this.#isDead = true;
      outcome = { outcome: "trapped", why: error.message };
    }
    return { ...outcome, logs: this.#logs.splice(0) };
  }

  /** A trap outside of a call is a mistake in the plugin's own top level, or in what it says of itself. */
  #orTell(step) {
    try {
      return step();
    } catch (error) {
      throw new Error(["the plugin does not start", ...this.#logs].join(": "), { cause: error });
    }
  }

  #imports() {
    return {
      "hookgate:plugin/log@0.1.0": {
        log: (level, at, bytes) => this.#logs.push(`${LEVELS[level]}: ${this.#text(at, bytes)}`),
      },
      "hookgate:plugin/settings@0.1.0": {
        get: (at, bytes, answer) => {
          const value = this.#settings[this.#text(at, bytes)];
          const given = value === undefined ? [] : this.#lowerText(typeof value === "string" ? value : JSON.stringify(value));
          this.#view().setUint8(answer, given.length && 1);
          if (given.length) this.#putPair(answer + 4, given);
        },
      },
      "hookgate:plugin/clock@0.1.0": {
        "now-ms": () => BigInt(this.#nowMs ?? Date.now()),
      },
      "hookgate:plugin/random@0.1.0": {
        bytes: (count, answer) => {
          const bytes = randomFillSync(new Uint8Array(Math.min(count >>> 0, RANDOM_BYTES)));
          this.#putPair(answer, this.#lowerBytes(bytes));
        },
      },
    };
  }

  #lowerEvent(event) {
    const attributes = Object.entries(event.attributes);
    const pairs = this.#alloc(4, attributes.length * 16);
    attributes.forEach(([name, value], i) => {
      this.#putPair(pairs + i * 16, this.#lowerText(name));
      this.#putPair(pairs + i * 16 + 8, this.#lowerText(value));
    });
    return [
      ...this.#lowerText(event.id),
      ...this.#lowerText(event.source),
      ...this.#lowerText(event.provider),
      ...this.#lowerText(event.type),
      BigInt(event.receivedAtMs),
      event.attempt,
      pairs,
      attributes.length,
      ...this.#lowerBytes(bytesOf(event.payload)),
    ];
  }

  #liftResult(at) {
    const view = this.#view();
    if (view.getUint8(at) === 0) return { outcome: "done" };
    const why = this.#textAt(at + 16);
    if (view.getUint8(at + 8) === 0) return { outcome: "reject", why };
    if (view.getUint8(at + 24) === 0) return { outcome: "retry", why };
    return { outcome: "retry", why, afterMs: Number(view.getBigUint64(at + 32, true)) };
  }

  #view() {
    return new DataView(this.#exports.memory.buffer);
  }

  /** Gives where a text or a list stands, and its length. */
  #pair(at) {
    const view = this.#view();
    return [view.getUint32(at, true), view.getUint32(at + 4, true)];
  }

  #putPair(at, [first, second]) {
    const view = this.#view();
    view.setUint32(at, first, true);
    view.setUint32(at + 4, second, true);
  }

  /** Gives where each element of a list stands. */
  #list(at, elementBytes) {
    const [first, count] = this.#pair(at);
    return Array.from({ length: count }, (_, i) => first + i * elementBytes);
  }

  #textAt(at) {
    return this.#text(...this.#pair(at));
  }

  /** The gateway takes UTF-8 only, and so does this. */
  #text(at, bytes) {
    const view = new Uint8Array(this.#exports.memory.buffer, at >>> 0, bytes >>> 0);
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(view);
  }

  #alloc(align, bytes) {
    return this.#exports.cabi_realloc(0, 0, align, bytes) >>> 0;
  }

  #lowerText(text) {
    return this.#lowerBytes(new TextEncoder().encode(text));
  }

  #lowerBytes(bytes) {
    const at = this.#alloc(1, bytes.length);
    new Uint8Array(this.#exports.memory.buffer).set(bytes, at);
    return [at, bytes.length];
  }
}

function bytesOf(payload) {
  if (payload instanceof Uint8Array) return payload;
  return new TextEncoder().encode(typeof payload === "string" ? payload : JSON.stringify(payload));
}
