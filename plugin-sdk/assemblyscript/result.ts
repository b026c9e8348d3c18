// How a handler ended.

/** What a handler returns. */
export class Result {
  private constructor(
    /** Why the work could not be done; `null` where it was. */
    readonly why: string | null,
    /** Whether another attempt can help. */
    readonly again: bool,
    /** How long to wait at least, in milliseconds; 0 where the operator's schedule decides. */
    readonly afterMs: u64,
  ) {}

  /** The work is done. */
  static done(): Result {
    return new Result(null, false, 0);
  }

  /** It never will be: the delivery is dead at once, and kept for the operator to look at. */
  static reject(why: string): Result {
    return new Result(why, false, 0);
  }

  /** It may work later: the delivery is tried again when the operator's schedule says so. */
  static retry(why: string): Result {
    return new Result(why, true, 0);
  }

  /** It may work later: the delivery is tried again, after at least so many milliseconds. */
  static retryAfter(why: string, afterMs: u64): Result {
    return new Result(why, true, afterMs);
  }
}
