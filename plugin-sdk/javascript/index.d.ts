/** What a plugin is: its name, what it asks the operator for, and what it does. */
export interface Definition<Settings extends SettingTable> {
  /** The name that the gateway shows beside that of the file. */
  name: string;
  version: string;
  /** What the operator can set under `[plugins.<name>] settings`, by key. */
  settings?: Settings;
  /** The hosts that `fetch` is for: their names, or names with more about each. */
  hosts?: readonly string[] | Record<string, Host>;
  /** Whether it wants to remember something: `context.state`. */
  state?: boolean | Power;
  /** Patterns of the types of events that it makes: `context.emit`. */
  emits?: readonly string[] | Record<string, Power>;
  /**
   * Handlers by the types of events that they take. A key is one pattern or several, separated by commas:
   *
   * - `"file.ready"`: this type
   * - `"comment.created, comment.updated"`: these two
   * - `"file.*"`: `*` stands for any characters, dots included
   * - `"github:push"`: from a source or a provider of this name only
   *
   * The first handler that matches, in order of writing, gets the event. It may be left out where there is `respond`.
   */
  on?: Record<string, Handler<Settings>>;
  /** Handlers that answer senders that wait for it, by the types of events, as in `on`. */
  respond?: Record<string, Responder<Settings>>;
}

/** Something that the operator can set. What is of another type than text is read for the plugin. */
export type Setting = {
  /** A sentence for the operator. */
  about?: string;
} & (
  | {
      type?: "text";
      /** Used where the operator sets nothing. Without one, the plugin does not run until the operator does. */
      default?: string;
    }
  | { type: "integer" | "number"; default?: number }
  | { type: "boolean"; default?: boolean }
  | {
      type: "json";
      /** A string is taken as the JSON itself. */
      default?: unknown;
    }
);

/** Settings by key. */
export type SettingTable = Record<string, Setting>;

/** What a handler reads of a setting. */
export type SettingValue<Of extends Setting> = Of extends { type: "integer" | "number" }
  ? number
  : Of extends { type: "boolean" }
    ? boolean
    : Of extends { type: "json" }
      ? any
      : string;

/** Something that the operator can grant. */
export interface Power {
  /** A sentence for the operator. */
  about?: string;
  /** Whether the plugin runs without it too. What it does with it is then an error of the kind `denied`. */
  optional?: boolean;
}

/** A host that a plugin sends requests to. */
export interface Host extends Power {
  /** The methods that it needs: `["GET", "POST"]`. */
  methods?: readonly string[];
  /** The kind of credential that is needed. The gateway adds it to each request: the plugin never holds it. */
  credential?: "bearer" | "basic" | "header";
}

/**
 * Handles one event. To return, or to resolve, is to be done with it. An error is thrown to be called again later:
 * any error, or `Retry` to say when. `Reject` is thrown where trying again cannot help.
 *
 * Nothing in memory outlives the call, and the same event may come again.
 */
export type Handler<Settings extends SettingTable = SettingTable> = (event: Event, context: Context<Settings>) => unknown;

/** Answers the sender of an event, which waits a few seconds at most. What is thrown means the same as in `Handler`. */
export type Responder<Settings extends SettingTable = SettingTable> = (
  event: Event,
  context: Context<Settings>,
) => Answer | Response | Promise<Answer | Response>;

/** What the sender of an event is answered. */
export interface Answer {
  /** From 200 to 599; 200 where nothing is said. */
  status?: number;
  headers?: Headers | Record<string, string> | Iterable<readonly [string, string]>;
  /** Text, bytes, or a value that is written as JSON. Unless a header says another, it has the type that goes with it. */
  body?: unknown;
}

/** What a handler gets beside the event. */
export interface Context<Settings extends SettingTable = SettingTable> {
  /** The settings that the plugin declares, as the operator wrote them. */
  readonly settings: { readonly [key in keyof Settings]: SettingValue<Settings[key]> };
  /** What the plugin remembers. It needs `state: true`. */
  readonly state: State;
  /**
   * Makes an event, whose source is `plugin:<name>` and whose provider is `plugin`. It is there when the handler is done, and
   * not at all if it fails. It needs a pattern in `emits`.
   *
   * @param payload The body: bytes, text, or a value that is written as JSON.
   */
  emit(type: string, payload?: unknown, attributes?: Record<string, string | undefined>): void;
}

/**
 * What a plugin remembers from one event to the next: bytes under keys, its own alone.
 *
 * What a handler writes is kept if it is done, and forgotten if it fails. It sees what it wrote itself. Values are bytes,
 * text, or anything that can be written as JSON.
 */
export interface State {
  /** The bytes under a key; undefined where there are none. */
  get(key: string): Uint8Array | undefined;
  /** The same, as text. */
  getText(key: string): string | undefined;
  /** The same, read as JSON. `T` is what you take it for: nothing checks that it is so. */
  getJson<T = any>(key: string): T | undefined;
  /** Sets a key: for good, or for so many milliseconds. */
  set(key: string, value: unknown, options?: { keepMs?: number }): void;
  /** Removes a key, whether it is there or not. */
  delete(key: string): void;
  /** The keys that begin with `prefix` and come after `after`, in the order of their bytes: at most `limit`, at most 1,000. */
  keys(range?: { prefix?: string; after?: string; limit?: number }): string[];
  /** Adds to a number, which is kept as text and begins at 0, and gives the sum: a bigint where a number is not exact. */
  increment(key: string, by?: number): number | bigint;
  /** Sets a key if its value is as expected (undefined: there is none), and tells whether it was. */
  compareAndSet(key: string, expected: unknown, value: unknown, options?: { keepMs?: number }): boolean;
}

declare global {
  interface RequestInit {
    /** For a request of a plugin: how long all of it may take, where that is less than the operator allows. */
    timeoutMs?: number;
  }
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
export function plugin<const Settings extends SettingTable = {}>(definition: Definition<Settings>): Plugin;

/** What went wrong with what a plugin was granted, or was not. */
export type PowerErrorKind =
  /** The plugin did not ask for it, or the operator did not grant it. */
  | "denied"
  /** It makes no sense: a wrong URL, an empty key. */
  | "invalid"
  /** More than is granted: bytes, keys, events. */
  | "limit"
  /** Too much at a time, or within a minute: later it may go. */
  | "busy"
  /** It took too long. */
  | "timeout"
  /** It could not be done: no such name, no connection, no answer. */
  | "failed";

/**
 * Thrown where the gateway did not do what it was asked for; of `fetch`, the `cause` of its TypeError. Where nobody catches
 * it, the delivery is tried again; one that is `invalid` is rejected, since it would be the same then.
 */
export class PowerError extends Error {
  constructor(kind: PowerErrorKind, why: string, options?: ErrorOptions);
  readonly kind: PowerErrorKind;
}

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
