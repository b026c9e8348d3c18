// What a plugin remembers from one event to the next.

import { putBytes, putString, release, takeBytes, takeStrings } from "./memory";
import { failing, Got, Problem, problemIn, takeProblem } from "./problem";
import { decode, isUtf8 } from "./utf8";

// @ts-ignore: decorator
@external("hookgate:plugin/state@0.1.0", "get")
declare function hostGet(key: usize, keyBytes: usize, area: usize): void;

// @ts-ignore: decorator
@external("hookgate:plugin/state@0.1.0", "set")
declare function hostSet(
  key: usize, keyBytes: usize, value: usize, valueBytes: usize, hasKeep: bool, keepMs: u64, area: usize,
): void;

// @ts-ignore: decorator
@external("hookgate:plugin/state@0.1.0", "delete")
declare function hostDelete(key: usize, keyBytes: usize, area: usize): void;

// @ts-ignore: decorator
@external("hookgate:plugin/state@0.1.0", "keys")
declare function hostKeys(
  prefix: usize, prefixBytes: usize, hasAfter: bool, after: usize, afterBytes: usize, limit: u32, area: usize,
): void;

// @ts-ignore: decorator
@external("hookgate:plugin/state@0.1.0", "increment")
declare function hostIncrement(key: usize, keyBytes: usize, by: i64, area: usize): void;

// @ts-ignore: decorator
@external("hookgate:plugin/state@0.1.0", "compare-and-set")
declare function hostCompareAndSet(
  key: usize, keyBytes: usize, hasExpected: bool, expected: usize, expectedBytes: usize, value: usize, valueBytes: usize,
  hasKeep: bool, keepMs: u64, area: usize,
): void;

/** Where the gateway puts what it gives. What it gives begins at 4, but a number and its error at 8. */
const area = memory.data(24, 8);

/** Where up to three texts or lists of bytes stand that are handed over, each as its address and length. */
const given = memory.data(24, 4);

/**
 * What the plugin remembers: bytes under keys, its own alone. Ask for it with `plugin(...).state()`.
 *
 * What a call writes is kept if its handler is done, and forgotten if it is not. A call sees what it wrote itself.
 * `keepMs` is for how many milliseconds; 0 is for good.
 */
export namespace state {
  /** The value of a key; `null` where there is none. */
  export function get(key: string): Got<Uint8Array | null> {
    putString(given, key);
    hostGet(load<usize>(given), load<usize>(given, 4), area);
    release();
    const problem = problemIn(area);
    if (problem) return failing<Uint8Array | null>(problem);
    if (!load<u8>(area, 4)) return new Got<Uint8Array | null>(null, null);
    return new Got<Uint8Array | null>(takeBytes(load<usize>(area, 8), load<usize>(area, 12)), null);
  }

  /** The value of a key as text; `null` where there is none, or none that is UTF-8. */
  export function getText(key: string): Got<string | null> {
    const got = get(key);
    if (got.problem) return failing<string | null>(got.problem!);
    const bytes = got.value;
    const isText = bytes !== null && isUtf8(bytes.dataStart, bytes.length);
    return new Got<string | null>(isText ? decode(bytes!.dataStart, bytes!.length) : null, null);
  }

  export function set(key: string, value: Uint8Array, keepMs: u64 = 0): Problem | null {
    putString(given, key);
    putBytes(given + 8, value);
    return setGiven(keepMs);
  }

  export function setText(key: string, text: string, keepMs: u64 = 0): Problem | null {
    putString(given, key);
    putString(given + 8, text);
    return setGiven(keepMs);
  }

  function setGiven(keepMs: u64): Problem | null {
    hostSet(
      load<usize>(given), load<usize>(given, 4), load<usize>(given, 8), load<usize>(given, 12), keepMs != 0, keepMs, area,
    );
    release();
    return problemIn(area);
  }

  /** Removes a key, whether it is there or not. */
  export function remove(key: string): Problem | null {
    putString(given, key);
    hostDelete(load<usize>(given), load<usize>(given, 4), area);
    release();
    return problemIn(area);
  }

  /**
   * The keys that begin with a prefix and come after another (`null`: from the first on), in the order of their bytes; at
   * most 1,000.
   */
  export function keys(prefix: string, after: string | null = null, limit: u32 = 1000): Got<string[]> {
    putString(given, prefix);
    putString(given + 8, after ? after : "");
    hostKeys(
      load<usize>(given), load<usize>(given, 4), after !== null, load<usize>(given, 8), load<usize>(given, 12), limit, area,
    );
    release();
    const problem = problemIn(area);
    if (problem) return failing<string[]>(problem);
    return new Got<string[]>(takeStrings(load<usize>(area, 4), load<usize>(area, 8)), null);
  }

  /** Adds to a number, which is kept as decimal text, and gives the sum. A key that is not there counts as 0. */
  export function increment(key: string, by: i64 = 1): Got<i64> {
    putString(given, key);
    hostIncrement(load<usize>(given), load<usize>(given, 4), by, area);
    release();
    if (load<u8>(area)) return failing<i64>(takeProblem(area + 8));
    return new Got<i64>(load<i64>(area, 8), null);
  }

  /** Sets a key if its value is as expected (`null`: it is not there), and tells whether it was. */
  export function compareAndSet(key: string, expected: Uint8Array | null, value: Uint8Array, keepMs: u64 = 0): Got<bool> {
    putString(given, key);
    putBytes(given + 8, expected ? expected : new Uint8Array(0));
    putBytes(given + 16, value);
    return compareAndSetGiven(expected !== null, keepMs);
  }

  /** The same with texts. */
  export function compareAndSetText(key: string, expected: string | null, text: string, keepMs: u64 = 0): Got<bool> {
    putString(given, key);
    putString(given + 8, expected ? expected : "");
    putString(given + 16, text);
    return compareAndSetGiven(expected !== null, keepMs);
  }

  function compareAndSetGiven(hasExpected: bool, keepMs: u64): Got<bool> {
    hostCompareAndSet(
      load<usize>(given), load<usize>(given, 4), hasExpected, load<usize>(given, 8), load<usize>(given, 12),
      load<usize>(given, 16), load<usize>(given, 20), keepMs != 0, keepMs, area,
    );
    release();
    const problem = problemIn(area);
    if (problem) return failing<bool>(problem);
    return new Got<bool>(load<u8>(area, 4) != 0, null);
  }
}
