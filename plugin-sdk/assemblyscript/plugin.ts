// What the plugin says of itself, and which handler gets an event.

import { Event } from "./event";
import { matches } from "./pattern";
import { Result } from "./result";

/** Something that the operator is asked to grant. */
export class Ask {
  constructor(
    readonly key: string,
    readonly fallback: string | null,
    readonly about: string,
  ) {}
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
   * `about` is a sentence for the operator.
   */
  setting(key: string, fallback: string | null = null, about: string = ""): Plugin {
    this.asks.push(new Ask(key, fallback, about));
    return this;
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
    const patterns = handlers[i].patterns;
    for (let j = 0; j < patterns.length; j++) {
      if (matches(patterns[j], event)) return handlers[i].handle(event);
    }
  }
  return Result.reject(`no handler for ${event.type}`);
}
