import type { Answer } from "hookgate-plugin";

/** Frame.io's API. */
export interface Frameio {
  readonly comments: {
    /** Adds a comment to a file, and gives what Frame.io made of it. */
    create(accountId: string | undefined, fileId: string | undefined, text: string): Promise<Resource>;
  };
  readonly files: {
    /** Gives what Frame.io knows of a file. */
    show(accountId: string | undefined, fileId: string | undefined): Promise<Resource>;
  };
}

/** What Frame.io tells of a thing. Nothing checks it. */
export interface Resource {
  readonly [name: string]: any;
}

/** Something that is filled in. */
export type Field = {
  /** What stands beside it. */
  label: string;
  /** What it is called in `data`. */
  name: string;
} & (
  | { type: "text" | "textarea" | "link"; value?: string }
  | { type: "boolean"; value?: boolean | string }
  | { type: "select"; value?: string; options: readonly Option[] }
);

/** One of those that a select has. */
export interface Option {
  /** What people read. */
  name: string;
  /** What comes back. */
  value: string;
}

/**
 * Frame.io's API. The plugin asks for the host, and the gateway adds the token:
 * `hosts: { "api.frame.io": { methods: ["GET", "POST"], credential: "bearer" } }`.
 *
 * Where Frame.io does not do it, a `FrameioError` is thrown, or a `Retry` where it is busy or out of order, which honours its
 * `Retry-After`.
 */
export function frameio(options?: {
  /** Another place than `https://api.frame.io`. */
  baseUrl?: string;
}): Frameio;

/** What custom actions are answered. */
export namespace frameio {
  /** A message. */
  function message(shown: { title: string; description: string }): Answer;
  /** A form. What is filled in comes back by the same action, in the body's `data`. */
  function form(shown: { title: string; description: string; fields: readonly Field[] }): Answer;
}

/** Why Frame.io did not do what it was asked for. */
export type FrameioErrorKind =
  /** The token is missing, wrong or may not do it. The delivery is tried again: a token can be mended. */
  | "unauthorized"
  /** There is no such thing. The event is rejected. */
  | "not_found"
  /** It makes no sense to Frame.io. The event is rejected. */
  | "refused"
  /** The answer is not what Frame.io promises. The delivery is tried again. */
  | "garbled";

/** Thrown where Frame.io did not do what it was asked for. */
export class FrameioError extends Error {
  private constructor();
  readonly kind: FrameioErrorKind;
  /** Of its answer; undefined where there was nothing to ask for. */
  readonly status: number | undefined;
}
