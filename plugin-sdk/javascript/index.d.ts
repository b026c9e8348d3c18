/** What a plugin is: its name, what it asks the operator for, and what it does. */
export interface Definition<Key extends string> {
  /** The name that the gateway shows beside that of the file. */
  name: string;
  version: string;
  /** What the operator can set under `[plugins.<name>] settings`, by key. */
  settings?: Record<Key, Setting>;
  /**
   * Handlers by the types of events that they take. A key is one pattern or several, separated by commas:
   *
   * - `"file.ready"`: this type
   * - `"comment.created, comment.updated"`: these two
   * - `"file.*"`: `*` stands for any characters, dots included
   * - `"github:push"`: from a source or a provider of this name only
   *
   * The first handler that matches, in order of writing, gets the event.
   */
  on: Record<string, Handler<Key>>;
}

/** Something that the operator can set. */
export interface Setting {
  /** A sentence for the operator. */
  about?: string;
  /** Used where the operator sets nothing. Without one, the plugin does not run until the operator does. */
  default?: string;
}

/**
 * Handles one event. To return, or to resolve, is to be done with it. An error is thrown to be called again later:
 * any error, or `Retry` to say when. `Reject` is thrown where trying again cannot help.
 *
 * Nothing in memory outlives the call, and the same event may come again.
 */
export type Handler<Key extends string = string> = (event: Event, context: Context<Key>) => unknown;

/** What a handler gets beside the event. */
export interface Context<Key extends string = string> {
  /**
   * The settings that the plugin declares, as the operator wrote them: strings as they are, numbers and booleans as
   * TOML writes them, arrays and tables as JSON.
   */
  readonly settings: { readonly [key in Key]: string };
}

/** One verified webhook. */
export interface Event {
  /** `evt_...`: the same on every attempt and after a crash. Use it to notice a repeat. */
  readonly id: string;
  /** The source that it came in by, a name of the operator's choice. */
  readonly source: string;
  /** How its sender signs and shapes webhooks: `frameio`, `github`, ... */
  readonly provider: string;
  /** What happened, in the sender's words: `file.ready`. */
  readonly type: string;
  /** When the gateway received it. */
  readonly receivedAt: Date;
  /** 1 on the first try. */
  readonly attempt: number;
  /** What the provider's description finds in the request: `resource.id`, `content-type`, ... */
  readonly attributes: { readonly [name: string]: string | undefined };
  /** One of the attributes. */
  attribute(name: string): string | undefined;
  /** The attribute `resource.id`. */
  readonly resourceId: string | undefined;
  /** The attribute `resource.type`. */
  readonly resourceType: string | undefined;
  /** The attribute `account.id`. */
  readonly accountId: string | undefined;
  /** The attribute `user.id`. */
  readonly userId: string | undefined;
  /** The attribute `project.id`. */
  readonly projectId: string | undefined;
  /** The attribute `workspace.id`. */
  readonly workspaceId: string | undefined;
  /** The body as it was signed, byte for byte. It need not be text. */
  readonly payload: Uint8Array;
  /** The body as text. A body that is not UTF-8 is rejected. */
  text(): string;
  /**
   * The body, read as JSON. A body that is not JSON is rejected. `T` is what you take it for: nothing checks that it
   * is so.
   */
  json<T = any>(): T;
}

/** What the gateway learns when it loads a plugin. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly subscriptions: readonly string[];
  readonly asks: readonly { what: string; name: string; detail: [string, string][] }[];
}

/** What `plugin` makes. */
export interface Plugin {
  readonly manifest: Manifest;
}

/**
 * Makes a plugin. It must be the default export of the file that is built.
 *
 * ```ts
 * export default plugin({
 *   name: "greeter",
 *   version: "0.1.0",
 *   settings: { greeting: { default: "Hi", about: "What each line begins with." } },
 *   on: {
 *     "user.created": (event, { settings }) => {
 *       console.log(`${settings.greeting}, ${event.json().name}`);
 *     },
 *   },
 * });
 * ```
 */
export function plugin<Key extends string = never>(definition: Definition<Key>): Plugin;

/** Thrown where an event can never be handled: the delivery is dead at once, and kept for the operator to look at. */
export class Reject extends Error {
  constructor(why: string, options?: ErrorOptions);
}

/** Thrown where it may work later: the delivery is tried again. Any other error means the same. */
export class Retry extends Error {
  constructor(why: string, options?: ErrorOptions & { afterMs?: number });
  /** How long to wait at least, in milliseconds; without it, the operator's schedule decides. */
  readonly afterMs: number | undefined;
}
