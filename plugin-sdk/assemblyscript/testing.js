// Tests without the gateway: runs a built plugin in Node, as the gateway would.
//
//     const plugin = load("quota-watch.wasm");
//     const ran = plugin.handle(event("quota.warning", { payload: { data: { used: 9 } } }));
//     assert.deepEqual(ran, { outcome: "done", logs: ["warn: ..."] });
//
// What the plugin asks for is granted, and nothing else.

import { randomFillSync } from "node:crypto";
import { readFileSync } from "node:fs";

const LEVELS = ["trace", "debug", "info", "warn", "error"];
const KINDS = ["denied", "invalid", "limit", "busy", "timeout", "failed"];
const RANDOM_BYTES = 4096;
const KEYS = 1000;

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

/** What `http` throws where there is no answer: `new Problem("busy", "later")`. */
export class Problem extends Error {
  constructor(kind, why) {
    super(why);
    this.kind = kind;
  }
}

/** What a plugin remembers: give the same one to several calls, and look at it after them. */
export class State {
  #now = 0;
  #entries = new Map();

  /** Values are text or bytes. */
  constructor(values = {}) {
    for (const [key, value] of Object.entries(values)) this.set(key, bytesOf(value));
  }

  /** The value of a key as text; `undefined` where there is none. */
  text(key) {
    return this.get(key)?.toString();
  }

  /** The value of a key as bytes; `undefined` where there is none. */
  get(key) {
    const entry = this.#entries.get(key);
    return entry && entry.until > this.#now ? entry.value : undefined;
  }

  set(key, value, keepMs) {
    const until = keepMs === undefined ? Infinity : this.#now + Number(keepMs);
    this.#entries.set(key, { value: Buffer.from(value), until });
  }

  /** Changes a value that is kept for no longer than before. */
  change(key, value) {
    this.#entries.set(key, { until: Infinity, ...this.#entries.get(key), value: Buffer.from(value) });
  }

  delete(key) {
    this.#entries.delete(key);
  }

  /** The keys that are there, in the order of their bytes. */
  keys() {
    const keys = [...this.#entries.keys()].filter((key) => this.get(key) !== undefined);
    return keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  }

  /** Lets time go by, after which what was to be kept for no longer is gone. */
  wait(ms) {
    this.#now += ms;
  }

  copy() {
    const copy = new State();
    copy.take(this);
    return copy;
  }

  take(other) {
    this.#now = other.#now;
    this.#entries = new Map(other.#entries);
  }
}

class Plugin {
  #module;

  constructor(module) {
    this.#module = module;
    /** What the plugin says of itself: `name`, `version`, `subscriptions`, `asks`. */
    this.manifest = new Instance(module, {}).describe();
    const answers = WebAssembly.Module.exports(module).some(({ name }) => name === "respond");
    if (!answers && this.manifest.asks.some(({ what }) => what === "reply")) {
      const line = 'export { respond, cabi_post_respond } from "hookgate-plugin-as/responder";';
      throw new Error(`the plugin has a responder and does not export it: add the line ${line}`);
    }
  }

  /**
   * Handles an event in a fresh instance, as the gateway does.
   *
   * Gives `{ outcome, logs }`, where the outcome is `done`, `reject`, `retry` or `trapped`. All but `done` have a `why`, and a
   * retry has `afterMs` where it asks for a wait. `logs` are lines such as `info: hello`. Where the plugin made events and is
   * done, they are `emitted`, each as `{ type, payload, attributes }`.
   *
   * `settings` are granted in place of the defaults, and `nowMs` stops the clock. `state` is a `State`, which has what the
   * plugin wrote if it is done. `http` answers requests: a function from `{ method, url, headers, body, timeoutMs }` to
   * `{ status, headers, body }`, all of which may be left out. Without it they are denied.
   */
  handle(event, options = {}) {
    return this.start(options).handle(event);
  }

  /** Answers the sender of an event. What `handle` gives has `answer: { status, headers, body }` too, with the body as bytes. */
  respond(event, options = {}) {
    return this.start(options).respond(event);
  }

  /** One instance for many events, as the gateway keeps it where the operator says so. */
  start(options = {}) {
    const defaults = this.manifest.asks.flatMap((ask) => ("default" in ask.detail ? [[ask.name, ask.detail.default]] : []));
    const settings = { ...Object.fromEntries(defaults), ...options.settings };
    return new Instance(this.#module, { ...options, settings, asks: this.manifest.asks });
  }
}

class Instance {
  #exports;
  #settings;
  #nowMs;
  #http;
  #asks;
  #kept;
  #state;
  #emitted = [];
  #logs = [];
  #isDead = false;

  constructor(module, { settings = {}, nowMs, state = new State(), http, asks = [] }) {
    this.#settings = settings;
    this.#nowMs = nowMs;
    this.#http = http;
    this.#asks = asks;
    this.#kept = state;
    this.#state = state.copy();
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
    return this.#call("handle", event);
  }

  respond(event) {
    return this.#call("respond", event);
  }

  #call(name, event) {
    if (this.#isDead) throw new Error("this instance has trapped: start another one");
    this.#state = this.#kept.copy();
    let outcome;
    try {
      const at = this.#exports[name](...this.#lowerEvent(event));
      outcome = this.#liftResult(at, name === "respond");
      this.#exports[`cabi_post_${name}`]?.(at);
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
      this.#isDead = true;
      outcome = { outcome: "trapped", why: error.message };
    }
    return { ...outcome, ...this.#settle(outcome.outcome === "done"), logs: this.#logs.splice(0) };
  }

  /** Keeps what the call wrote and made, or forgets it. */
  #settle(isDone) {
    const emitted = this.#emitted.splice(0);
    if (isDone) this.#kept.take(this.#state);
    return isDone && emitted.length ? { emitted } : {};
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
      "hookgate:plugin/state@0.1.0": this.#stateImports(),
      "hookgate:plugin/http@0.1.0": {
        send: (method, methodBytes, url, urlBytes, headers, count, body, bodyBytes, hasTimeout, timeoutMs, area) => {
          const request = {
            method: this.#text(method, methodBytes),
            url: this.#text(url, urlBytes),
            headers: this.#pairs(headers, count),
            body: this.#bytes(body, bodyBytes),
            timeoutMs: hasTimeout ? Number(timeoutMs) : undefined,
          };
          this.#answer(area, 4, () => this.#putResponse(area, this.#send(request)));
        },
      },
      "hookgate:plugin/events@0.1.0": {
        emit: (type, typeBytes, payload, payloadBytes, attributes, count, area) => {
          const event = {
            type: this.#text(type, typeBytes),
            payload: this.#bytes(payload, payloadBytes),
            attributes: Object.fromEntries(this.#pairs(attributes, count)),
          };
          this.#answer(area, 4, () => this.#emit(event));
        },
      },
    };
  }

  #stateImports() {
    const state = () => {
      this.#asked(({ what }) => what === "state", ".state()");
      return this.#state;
    };
    const checked = (at, bytes) => {
      state();
      if (!bytes) throw new Problem("invalid", "a key is not empty");
      return this.#text(at, bytes);
    };
    const keep = (hasKeep, keepMs) => (hasKeep ? keepMs : undefined);
    return {
      get: (at, bytes, area) =>
        this.#answer(area, 4, () => {
          const value = state().get(checked(at, bytes));
          const given = value && this.#lowerBytes(value);
          this.#view().setUint8(area + 4, given ? 1 : 0);
          if (given) this.#putPair(area + 8, given);
        }),
      set: (at, bytes, value, valueBytes, hasKeep, keepMs, area) =>
        this.#answer(area, 4, () => {
          state().set(checked(at, bytes), this.#bytes(value, valueBytes), keep(hasKeep, keepMs));
        }),
      delete: (at, bytes, area) => this.#answer(area, 4, () => state().delete(checked(at, bytes))),
      keys: (at, bytes, hasAfter, after, afterBytes, limit, area) =>
        this.#answer(area, 4, () => {
          const [prefix, from] = [this.#text(at, bytes), hasAfter ? Buffer.from(this.#bytes(after, afterBytes)) : undefined];
          const isMeant = (key) => key.startsWith(prefix) && (!from || Buffer.compare(Buffer.from(key), from) > 0);
          const keys = state().keys().filter(isMeant).slice(0, Math.min(limit >>> 0, KEYS));
          const list = this.#alloc(4, keys.length * 8);
          keys.forEach((key, i) => this.#putPair(list + i * 8, this.#lowerText(key)));
          this.#putPair(area + 4, [list, keys.length]);
        }),
      increment: (at, bytes, by, area) =>
        this.#answer(area, 8, () => {
          const [key, text] = [checked(at, bytes), state().text(checked(at, bytes)) ?? "0"];
          if (!/^[+-]?[0-9]+$/.test(text)) throw new Problem("invalid", "what stands under this key is no number");
          const sum = BigInt(text.replace("+", "")) + by;
          if (sum !== BigInt.asIntN(64, sum)) throw new Problem("invalid", "the sum is out of range");
          if (state().get(key)) state().change(key, bytesOf(sum.toString()));
          else state().set(key, bytesOf(sum.toString()));
          this.#view().setBigInt64(area + 8, sum, true);
        }),
      "compare-and-set": (at, bytes, hasExpected, expected, expectedBytes, value, valueBytes, hasKeep, keepMs, area) =>
        this.#answer(area, 4, () => {
          const [key, found] = [checked(at, bytes), state().get(checked(at, bytes))];
          const isSame = hasExpected ? found?.equals(this.#bytes(expected, expectedBytes)) : !found;
          if (isSame) state().set(key, this.#bytes(value, valueBytes), keep(hasKeep, keepMs));
          this.#view().setUint8(area + 4, isSame ? 1 : 0);
        }),
    };
  }

  /** Gives a result: what `give` puts into it, or the problem that it throws, which stands at `at`. */
  #answer(area, at, give) {
    let problem;
    try {
      give();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      problem = error;
    }
    const why = problem && this.#lowerText(problem.message);
    this.#view().setUint8(area, problem ? 1 : 0);
    if (!problem) return;
    this.#view().setUint8(area + at, KINDS.indexOf(problem.kind));
    this.#putPair(area + at + 4, why);
  }

  /** The gateway denies what the plugin does not ask for. */
  #asked(covers, advice) {
    if (!this.#asks.some(covers)) throw new Problem("denied", `the plugin does not ask for it: plugin(...)${advice}`);
  }

  #send(request) {
    const host = URL.canParse(request.url) ? new URL(request.url).hostname : "";
    if (!host) throw new Problem("invalid", `${request.url} is no URL of a host`);
    const covers = ({ what, name, detail }) => {
      const isHost = name.startsWith("*") ? host.endsWith(name.slice(1)) : host === name;
      return what === "host" && isHost && (detail.methods ?? request.method).split(" ").includes(request.method);
    };
    this.#asked(covers, `.host("${host}") for ${request.method}`);
    if (!this.#http) throw new Problem("denied", "nobody answers requests in this test: { http }");
    return this.#http(request);
  }

  #putResponse(area, { status = 200, headers = [], body = "" }) {
    const pairs = Array.isArray(headers) ? headers : Object.entries(headers);
    const list = this.#lowerPairs(pairs);
    const given = this.#lowerBytes(bytesOf(body));
    this.#view().setUint16(area + 4, status, true);
    this.#putPair(area + 8, [list, pairs.length]);
    this.#putPair(area + 16, given);
  }

  #emit(event) {
    const covers = ({ what, name }) => what === "emit" && isLike(name, event.type);
    this.#asked(covers, `.emits("${event.type}")`);
    if (!/^\S+$/.test(event.type)) throw new Problem("invalid", "an event's type is a word");
    this.#emitted.push({ ...event, payload: event.payload.toString() });
  }

  #lowerEvent(event) {
    const attributes = Object.entries(event.attributes);
    const pairs = this.#lowerPairs(attributes);
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

  #lowerPairs(pairs) {
    const list = this.#alloc(4, pairs.length * 16);
    pairs.forEach(([name, value], i) => {
      this.#putPair(list + i * 16, this.#lowerText(name));
      this.#putPair(list + i * 16 + 8, this.#lowerText(value));
    });
    return list;
  }

  #liftAnswer(at) {
    const [headers, body] = [this.#pair(at + 12), this.#pair(at + 20)];
    return {
      status: this.#view().getUint16(at + 8, true),
      headers: Object.fromEntries(this.#pairs(...headers)),
      body: this.#bytes(...body),
    };
  }

  #liftResult(at, hasAnswer) {
    const view = this.#view();
    if (view.getUint8(at) === 0) return { outcome: "done", ...(hasAnswer && { answer: this.#liftAnswer(at) }) };
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

  /** Gives names and values. */
  #pairs(at, count) {
    return Array.from({ length: count }, (_, i) => [this.#textAt(at + i * 16), this.#textAt(at + i * 16 + 8)]);
  }

  /** A copy. */
  #bytes(at, bytes) {
    return Buffer.from(this.#exports.memory.buffer.slice(at >>> 0, (at >>> 0) + (bytes >>> 0)));
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

/** Whether a text is what a pattern says, where `*` stands for any characters. */
function isLike(pattern, text) {
  const pieces = pattern.split("*").map((piece) => piece.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${pieces.join(".*")}$`, "s").test(text);
}

function bytesOf(payload) {
  if (payload instanceof Uint8Array) return payload;
  return new TextEncoder().encode(typeof payload === "string" ? payload : JSON.stringify(payload));
}
