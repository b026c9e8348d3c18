// What `plugin({ ... })` makes of an author's table, and how an event goes through it.

import { isDeliberate, outcomeOf, Reject } from "./failure.js";
import { matches } from "./pattern.js";

/** A plugin, as `plugin` makes it. */
export class Plugin {
  #handlers;

  constructor(manifest, handlers) {
    this.manifest = manifest;
    this.#handlers = handlers;
    Object.freeze(this);
  }

  /** The first handler, in order of writing, with a pattern that matches the event. */
  handlerOf(event) {
    return this.#handlers.find(({ patterns }) => patterns.some((pattern) => matches(pattern, event)))?.handler;
  }
}

/** Reads an author's table. A mistake in it is a TypeError, at the time that the plugin is built. */
export function plugin(definition) {
  const { name, version, settings = {}, on } = object(definition, "a plugin");
  const handlers = Object.entries(object(on, "`on`")).map(readHandler);
  const manifest = {
    name: text(name, "the name of a plugin"),
    version: text(version, "the version of a plugin"),
    subscriptions: subscriptions(handlers),
    asks: Object.entries(object(settings, "`settings`")).map(ask),
  };
  return new Plugin(manifest, handlers);
}

function readHandler([key, handler]) {
  if (typeof handler !== "function") throw new TypeError(`what handles \`${key}\` is not a function`);
  const patterns = key.split(/[\s,]+/).filter((pattern) => pattern !== "");
  if (patterns.length === 0) throw new TypeError("a handler without a pattern takes no event");
  return { patterns, handler };
}

function subscriptions(handlers) {
  const patterns = handlers.flatMap(({ patterns }) => patterns);
  if (patterns.length === 0) throw new TypeError("a plugin without handlers takes no event: name them in `on`");
  const twice = patterns.find((pattern, at) => patterns.indexOf(pattern) !== at);
  if (twice !== undefined) throw new TypeError(`\`${twice}\` has two handlers: the second would never run`);
  return patterns;
}

function ask([key, setting]) {
  const { about, default: value } = object(setting, `the setting \`${key}\``);
  const detail = [];
  if (about !== undefined) detail.push(["about", string(about, `what setting \`${key}\` is about`)]);
  if (value !== undefined) detail.push(["default", string(value, `the default of setting \`${key}\``)]);
  return { what: "setting", name: key, detail };
}

function object(value, what) {
  if (typeof value !== "object" || value === null) throw new TypeError(`${what} is not an object`);
  return value;
}

function string(value, what) {
  if (typeof value !== "string") throw new TypeError(`${what} is not a string`);
  return value;
}

function text(value, what) {
  if (string(value, what) === "") throw new TypeError(`${what} is empty`);
  return value;
}

/** What a handler gets beside the event. `host.setting(key)` asks the gateway. */
export function contextOf(plugin, host) {
  const settings = {};
  for (const { name } of plugin.manifest.asks) {
    // Read when it is asked for: most events need none.
    Object.defineProperty(settings, name, { get: () => host.setting(name), enumerable: true });
  }
  return Object.freeze({ settings: Object.freeze(settings) });
}

/**
 * Gives the event to its handler and says how that ended: at once, or as a promise if the handler gave one. It never
 * throws. `host.trace(error)` is told of an error that nobody expected.
 */
export function attempt(plugin, event, context, host) {
  const failed = (thrown) => {
    if (!isDeliberate(thrown)) host.trace(thrown);
    return outcomeOf(thrown);
  };
  try {
    const handler = plugin.handlerOf(event);
    if (!handler) throw new Reject(`no handler of this plugin takes \`${event.type}\``);
    const returned = handler(event, context);
    return isThenable(returned) ? Promise.resolve(returned).then(done).catch(failed) : done(returned);
  } catch (thrown) {
    return failed(thrown);
  }
}

/** `return new Retry(...)` cannot mean anything but `throw`. */
function done(returned) {
  if (isDeliberate(returned)) throw returned;
  return { outcome: "done" };
}

export function isThenable(value) {
  return typeof value?.then === "function";
}
