// What the gateway offers to a plugin.

import { decode, encode } from "./utf8";

// @ts-ignore: decorator
@external("hookgate:plugin/log@0.1.0", "log")
declare function hostLog(level: u32, message: usize, bytes: usize): void;

// @ts-ignore: decorator
@external("hookgate:plugin/settings@0.1.0", "get")
declare function hostSetting(key: usize, bytes: usize, answer: usize): void;

// @ts-ignore: decorator
@external("hookgate:plugin/clock@0.1.0", "now-ms")
declare function hostNow(): u64;

// @ts-ignore: decorator
@external("hookgate:plugin/random@0.1.0", "bytes")
declare function hostRandom(bytes: u32, answer: usize): void;

/** The levels of a line, in the contract's order. */
export const enum Level {
  trace,
  debug,
  info,
  warn,
  error,
}

/** The most that the gateway gives in one call. */
const RANDOM_BYTES = 4096;

/** Where the gateway puts a string or a list that it answers with, and whether there is one. */
const answer = memory.data(12, 4);

/** Writes text that is UTF-8 already. */
export function logBytes(level: Level, message: usize, bytes: usize): void {
  hostLog(level, message, bytes);
}

function line(level: Level, message: string): void {
  const text = encode(message);
  hostLog(level, changetype<usize>(text), text.byteLength);
}

/** Lines in the gateway's log. All are sent; the operator chooses what is kept. */
export namespace log {
  export function trace(message: string): void {
    line(Level.trace, message);
  }

  export function debug(message: string): void {
    line(Level.debug, message);
  }

  export function info(message: string): void {
    line(Level.info, message);
  }

  export function warn(message: string): void {
    line(Level.warn, message);
  }

  export function error(message: string): void {
    line(Level.error, message);
  }
}

/**
 * What the operator granted under `[plugins.<name>] settings`, or the default that the plugin gave, or `null`.
 *
 * Strings come as they are, numbers and booleans as TOML writes them, arrays and tables as JSON.
 */
export function setting(key: string): string | null {
  const text = encode(key);
  hostSetting(changetype<usize>(text), text.byteLength, answer);
  if (load<u8>(answer) == 0) return null;
  const at = load<usize>(answer, 4);
  const bytes = load<usize>(answer, 8);
  const value = decode(at, bytes);
  if (bytes) heap.free(at);
  return value;
}

/** The gateway's clock, in milliseconds since 1970. `Date.now()` says the same. */
export function now(): i64 {
  return hostNow();
}

/** Bytes that nobody can predict. */
export function randomBytes(count: i32): Uint8Array {
  const bytes = new Uint8Array(count);
  fillRandom(bytes.dataStart, count);
  return bytes;
}

/** Puts bytes that nobody can predict into memory. */
export function fillRandom(to: usize, count: usize): void {
  while (count) {
    hostRandom(<u32>min<usize>(count, RANDOM_BYTES), answer);
    const at = load<usize>(answer);
    const given = min<usize>(load<usize>(answer, 4), count);
    memory.copy(to, at, given);
    if (given) heap.free(at);
    to += given;
    count -= given;
  }
}
