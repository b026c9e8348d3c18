import type { Event, Plugin } from "hookgate-plugin";

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

/** What became of an event, and what was logged meanwhile: `info: message`. */
export type Outcome = { logs: string[] } & (
  | { outcome: "done" }
  | { outcome: "reject"; why: string }
  | { outcome: "retry"; why: string; afterMs?: number }
);

/** What the operator would grant. */
export interface Grants {
  settings?: Record<string, string>;
}

/** Gives an event to a plugin as the gateway would, without a gateway. */
export function run(plugin: Plugin, event: Event, grants?: Grants): Promise<Outcome>;
