// What can go wrong with what a plugin asks the gateway for.

import { takeString } from "./memory";
import { Result } from "./result";

/** The kinds of problems, in the contract's order. */
export enum Kind {
  /** The plugin did not ask for it, or the operator did not grant it. */
  denied,
  /** What was asked for makes no sense: a wrong URL, an empty key. */
  invalid,
  /** More than is granted: bytes, keys, events, depth. */
  limit,
  /** Too much at a time, or within a minute: later it may go. */
  busy,
  /** It took too long. */
  timeout,
  /** It could not be done: no such name, no connection, no answer, a disk that fails. */
  failed,
}

/** Why something was not done. */
export class Problem {
  constructor(
    readonly kind: Kind,
    /** A sentence for people. */
    readonly why: string,
  ) {}

  /** What a handler returns that cannot go on: a reject where it is `Kind.invalid`, else a retry. */
  get result(): Result {
    return this.kind == Kind.invalid ? Result.reject(this.why) : Result.retry(this.why);
  }
}

/** What came of asking, or the problem. */
export class Got<T> {
  constructor(
    private held: T,
    /** Why nothing came of it; `null` where something did. */
    readonly problem: Problem | null,
  ) {}

  /** Whether there is a problem. */
  get failed(): bool {
    return this.problem !== null;
  }

  /** What came of it. Where there is a problem, this ends the call as a trap. */
  get value(): T {
    const problem = this.problem;
    if (problem) throw new Error(problem.why);
    return this.held;
  }

  /** What a handler returns that cannot go on: `if (got.failed) return got.result;` */
  get result(): Result {
    return this.problem!.result;
  }
}

/** Nothing but a problem. */
export function failing<T>(problem: Problem): Got<T> {
  if (isReference<T>()) return new Got<T>(changetype<T>(<usize>0), problem);
  return new Got<T>(<T>0, problem);
}

/** The record `error` that stands in memory. */
export function takeProblem(at: usize): Problem {
  return new Problem(<Kind>load<u8>(at), takeString(load<usize>(at, 4), load<usize>(at, 8)));
}

/** The problem in a `result<_, error>`, if there is one; errors that are aligned to 4 stand at 4. */
export function problemIn(area: usize): Problem | null {
  return load<u8>(area) ? takeProblem(area + 4) : null;
}
