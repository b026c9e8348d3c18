// What the plugin says of itself, and which handler gets an event.

import { Event } from "./event";
import { Pair } from "./pair";
import { matchesAny } from "./pattern";
import { Result } from "./result";

/** Something that the operator is asked to grant. */
export class Ask {
  readonly detail: Pair[] = [];

  constructor(
    /** `setting`, `host`, `state`, `emit` or `reply`. */
    readonly what: string,
    readonly name: string,
  ) {}

  /** Says more about it. What is empty is not said. */
  say(name: string, value: string): Ask {
    if (value != "") this.detail.push(new Pair(name, value));
    return this;
  }
}

/** What is called for events that a pattern means. */
export class Handler {
  constructor(
    readonly patterns: string[],
    readonly handle: (event: Event) => Result,
  ) {}
}

/** What the plugin says of itself. */
export class Plugin {
  name: string = "";
  version: string = "";
  readonly asks: Ask[] = [];
  readonly handlers: Handler[] = [];

  /**
   * Asks the operator for a setting. One without a default (`null`) must be granted before the plugin runs.
   *
   * `about` is a sentence for the operator. `type` is `text`, `integer`, `number`, `boolean` or `json`.
   */
  setting(key: string, fallback: string | null = null, about: string = "", type: string = ""): Plugin {
    const ask = this.ask("setting", key).say("about", about);
    if (fallback !== null) ask.detail.push(new Pair("default", fallback));
    ask.say("type", type);
    return this;
  }

  /**
   * Asks for a host to send requests to: `api.example.com`, `*.example.com` for all below it, or `*` for those that the
   * operator names.
   *
   * `methods` are those that will be needed, `GET POST`; `credential` is `bearer`, `basic` or `header`, if the operator has
   * to give one. Where it is `optional`, the plugin runs without it too.
   */
  host(name: string, about: string = "", methods: string = "", credential: string = "", optional: bool = false): Plugin {
    const ask = this.ask("host", name).say("about", about).say("methods", methods).say("credential", credential);
    ask.say("optional", optional ? "true" : "");
    return this;
  }

  /** Asks for a state. */
  state(about: string = "", optional: bool = false): Plugin {
    this.ask("state", "").say("about", about).say("optional", optional ? "true" : "");
    return this;
  }

  /** Asks to make events of the types that a pattern means. */
  emits(pattern: string, about: string = "", optional: bool = false): Plugin {
    this.ask("emit", pattern).say("about", about).say("optional", optional ? "true" : "");
    return this;
  }

  /** Asks for anything. */
  ask(what: string, name: string): Ask {
    const ask = new Ask(what, name);
    this.asks.push(ask);
    return ask;
  }
}

/** The one plugin of this module. */
export const current: Plugin = new Plugin();

/** Says what the plugin is called, and which version it is. */
export function plugin(name: string, version: string): Plugin {
  current.name = name;
  current.version = version;
  return current;
}

/**
 * Subscribes to events: `on("file.ready", ...)`, `on(["file.*", "github:push"], ...)`. The first handler that matches runs.
 *
 * A handler cannot use variables of a function around it: AssemblyScript has no closures.
 */
export function on<T>(patterns: T, handle: (event: Event) => Result): void {
  if (isString<T>()) {
    current.handlers.push(new Handler([changetype<string>(patterns)], handle));
  } else {
    current.handlers.push(new Handler(changetype<string[]>(patterns), handle));
  }
}

/** Calls the first handler that wants an event. */
export function dispatch(event: Event): Result {
  const handlers = current.handlers;
  for (let i = 0; i < handlers.length; i++) {
    if (matchesAny(handlers[i].patterns, event)) return handlers[i].handle(event);
  }
  return Result.reject(`no handler for ${event.type}`);
}
