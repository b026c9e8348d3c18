// What `plugin({ ... })` makes of an author's table, and how an event goes through it.

import { answerOf } from "./answer.js";
import { asksOf, object, string } from "./asks.js";
import { bytesOf } from "./bytes.js";
import { isDeliberate, outcomeOf, Reject } from "./failure.js";
import { matches } from "./pattern.js";
import { readSetting } from "./settings.js";
import { State } from "./state.js";

/** A plugin, as `plugin` makes it. */
export class Plugin {
  #handlers;
  #responders;

  constructor(manifest, handlers, responders) {
    this.manifest = manifest;
    this.#handlers = handlers;
    this.#responders = responders;
    Object.freeze(this);
  }

  /** Whether it answers senders. */
  get responds() {
    return this.#responders.length > 0;
  }

  /** The first handler, in order of writing, with a pattern that matches the event. */
  handlerOf(event) {
    return firstFor(event, this.#handlers);
  }

  /** The first that answers. */
  responderOf(event) {
    return firstFor(event, this.#responders);
  }
}

function firstFor(event, handlers) {
  return handlers.find(({ patterns }) => patterns.some((pattern) => matches(pattern, event)))?.handler;
}

/** Reads an author's table. A mistake in it is a TypeError, at the time that the plugin is built. */
export function plugin(definition) {
  const { name, version, respond, on = respond && {}, ...asks } = object(definition, "a plugin");
  const handlers = readHandlers(on, "`on`");
  const responders = readHandlers(respond ?? {}, "`respond`");
  if (handlers.length + responders.length === 0) throw new TypeError("a plugin without handlers takes no event: name them in `on`");
  const manifest = {
    name: text(name, "the name of a plugin"),
    version: text(version, "the version of a plugin"),
    subscriptions: patternsOf(handlers),
    asks: asksOf(asks, patternsOf(responders)),
  };
  return new Plugin(manifest, handlers, responders);
}

function readHandlers(table, what) {
  return Object.entries(object(table, what)).map(readHandler);
}

function readHandler([key, handler]) {
  if (typeof handler !== "function") throw new TypeError(`what handles \`${key}\` is not a function`);
  const patterns = key.split(/[\s,]+/).filter((pattern) => pattern !== "");
  if (patterns.length === 0) throw new TypeError("a handler without a pattern takes no event");
  return { patterns, handler };
}

function patternsOf(handlers) {
  const patterns = handlers.flatMap(({ patterns }) => patterns);
  const twice = patterns.find((pattern, at) => patterns.indexOf(pattern) !== at);
  if (twice !== undefined) throw new TypeError(`\`${twice}\` has two handlers: the second would never run`);
  return patterns;
}

function text(value, what) {
  if (string(value, what) === "") throw new TypeError(`${what} is empty`);
  return value;
}

/** What a handler gets beside the event. `host` asks the gateway: `setting(key)`, `emit(...)`, and what lib/state.js wants. */
export function contextOf(plugin, host) {
  return Object.freeze({
    settings: Object.freeze(settingsOf(plugin, host)),
    state: new State(host.state),
    emit: (type, payload, attributes) => emit(host, type, payload, attributes),
  });
}

function settingsOf({ manifest }, host) {
  const settings = {};
  for (const { name, detail } of manifest.asks.filter(({ what }) => what === "setting")) {
    const { type } = Object.fromEntries(detail);
    // Read when it is asked for: most events need none.
    Object.defineProperty(settings, name, { get: () => readSetting(name, type, host.setting(name)), enumerable: true });
  }
  return settings;
}

function emit(host, type, payload, attributes = {}) {
  const body = payload === undefined ? new Uint8Array(0) : bytesOf(payload, "the payload");
  const pairs = Object.entries(object(attributes, "what is said of an event")).filter(([, value]) => value !== undefined);
  host.emit(wellFormed(type), body, pairs.map((pair) => pair.map(wellFormed)));
}

/** A text with half a character in it would end the plugin: the contract knows none. */
function wellFormed(value) {
  return String(value).toWellFormed();
}

/**
 * Gives the event to its handler and says how that ended: at once, or as a promise if the handler gave one. It never
 * throws. `host.trace(error)` is told of an error that nobody expected.
 */
export function attempt(plugin, event, context, host) {
  const missing = `no handler of this plugin takes \`${event.type}\``;
  return ended(() => handled(plugin.handlerOf(event), missing, event, context), () => ({ outcome: "done" }), host);
}

/** The same for a sender that waits for an answer, which comes with the outcome. */
export function respond(plugin, event, context, host) {
  const missing = `no handler of this plugin answers \`${event.type}\``;
  const answered = (returned) => ({ outcome: "done", answer: answerOf(returned) });
  return ended(() => handled(plugin.responderOf(event), missing, event, context), answered, host);
}

function handled(handler, missing, event, context) {
  if (!handler) throw new Reject(missing);
  return handler(event, context);
}

function ended(run, finish, host) {
  const done = (returned) => {
    // `return new Retry(...)` cannot mean anything but `throw`.
    if (isDeliberate(returned)) throw returned;
    return finish(returned);
  };
  const failed = (thrown) => {
    if (!isDeliberate(thrown)) host.trace(thrown);
    return outcomeOf(thrown);
  };
  try {
    const returned = run();
    return isThenable(returned) ? Promise.resolve(returned).then(done).catch(failed) : done(returned);
  } catch (thrown) {
    return failed(thrown);
  }
}

export function isThenable(value) {
  return typeof value?.then === "function";
}
