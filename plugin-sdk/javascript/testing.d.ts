import type { Event, Plugin, State } from "hookgate-plugin";

/** What a made-up event has. What is not said is that of a first attempt at an event of the source `test`. */
export interface EventFields {
  id?: string;
  source?: string;
  provider?: string;
  receivedAt?: Date;
  attempt?: number;
  attributes?: Record<string, string>;
  /** The body: bytes, or a text. */
  payload?: Uint8Array | string;
  /** The body, as a value that is written as JSON. */
  json?: unknown;
}

/** Makes an event up. */
export function event(type: string, fields?: EventFields): Event;

/** What became of an event, and what the plugin did meanwhile. `Done` is what it gave. */
export type Outcome<Done = {}> = {
  /** What was logged: `info: message`. */
  logs: string[];
  /** What was sent, whether there was an answer or not. */
  requests: Request[];
  /** The events that it made. There are none if it failed. */
  emitted: Event[];
  /** What it remembers. Give it to the next run. */
  state: Memory;
} & (
  | ({ outcome: "done" } & Done)
  | { outcome: "reject"; why: string }
  | { outcome: "retry"; why: string; afterMs?: number }
);

/** What the operator would grant. The plugin has it only if it asks for it. */
export interface Grants {
  /** Texts as they are; what is of another type, as that. */
  settings?: Record<string, unknown>;
  /** What is remembered already, by key or from another run. `false` grants no state. */
  state?: Memory | Record<string, unknown> | false;
  /** `false` grants no events. */
  emit?: boolean;
  /** What hosts answer. Without an answer, a request is an error of the kind `denied`. */
  http?: ((request: Request) => HostAnswers) | Record<string, HostAnswer | ((request: Request) => HostAnswers)>;
}

type HostAnswers = HostAnswer | undefined | Promise<HostAnswer | undefined>;

/** What a host answers. In a table, it stands under method and URL: `"GET https://api.example.com/v1/things"`. */
export interface HostAnswer {
  /** 200 where nothing is said. */
  status?: number;
  headers?: Record<string, string>;
  /** Text, bytes, or a value that is written as JSON. */
  body?: unknown;
}

/** A request that a plugin sent. */
export interface Request {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly body: Uint8Array;
  readonly timeoutMs: number | undefined;
  /** The body as text. */
  text(): string;
  /** The body, read as JSON. */
  json<T = any>(): T;
}

/** What a plugin remembers, in memory, for a test to look into and to write to. */
export class Memory {
  constructor(values?: Record<string, unknown>);
}
export interface Memory extends State {}

/** Gives an event to a plugin as the gateway would, without a gateway. */
export function run(plugin: Plugin, event: Event, grants?: Grants): Promise<Outcome>;

/** Has a plugin answer the sender of an event, as the gateway would. */
export function respond(plugin: Plugin, event: Event, grants?: Grants): Promise<Outcome<{ answer: Response }>>;
