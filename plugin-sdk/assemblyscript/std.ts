// What the standard library needs from around it, given by the gateway: see asconfig.json and transform.js.
//
// The compiler puts this file before the memory manager, which needs `abort`: nothing may be allocated at its
// top level, nor at that of what it imports.

import { OBJECT, TOTAL_OVERHEAD } from "rt/common";
import { fillRandom, Level, log as line, logBytes, now } from "./host";

export namespace console {
  export function assert(condition: bool, message: string): void {
    if (!condition) line.error("assertion failed: " + message);
  }

  export function log(message: string): void {
    line.info(message);
  }

  export function debug(message: string): void {
    line.debug(message);
  }

  export function info(message: string): void {
    line.info(message);
  }

  export function warn(message: string): void {
    line.warn(message);
  }

  export function error(message: string): void {
    line.error(message);
  }

  // @ts-ignore: decorator
  @lazy
  const began = new Map<string, i64>();

  export function time(label: string): void {
    began.set(label, <i64>now());
  }

  export function timeLog(label: string): void {
    if (began.has(label)) line.info(`${label}: ${now() - began.get(label)} ms`);
  }

  export function timeEnd(label: string): void {
    timeLog(label);
    began.delete(label);
  }
}

export namespace crypto {
  export function getRandomValues(array: Uint8Array): void {
    fillRandom(array.dataStart, array.length);
  }
}

export namespace Date {
  export function now(): f64 {
    return <f64>gatewayNow();
  }
}

export namespace performance {
  export function now(): f64 {
    return <f64>gatewayNow();
  }
}

function gatewayNow(): i64 {
  return now();
}

const seedAt = memory.data(8, 8);

/** What `Math.random` starts from. */
export function seed(): f64 {
  fillRandom(seedAt, 8);
  return load<f64>(seedAt);
}

/** The compiler's own `trace(message, count, ...numbers)`. */
export function trace(message: string, n: i32 = 0, a0: f64 = 0, a1: f64 = 0, a2: f64 = 0, a3: f64 = 0, a4: f64 = 0): void {
  const numbers: StaticArray<f64> = [a0, a1, a2, a3, a4];
  for (let i = 0; i < min(n, 5); i++) message += ` ${numbers[i]}`;
  line.trace(message);
}

/** The most of a message and of a file's name that `abort` tells, in UTF-16 units: each takes up to three bytes. */
const MESSAGE = 512;
const FILE = 128;

const lastWords = memory.data(3 * (512 + 128) + 64);

/**
 * What a failed `throw`, `assert`, index or `!` calls: logs why and where, and traps.
 *
 * It takes no memory, since it is also what is called when there is none, or no stack.
 */
export function abort(message: usize, file: usize, row: u32, column: u32): void {
  // The compiler puts its own words for this where the heap writes over them.
  if (__stack_pointer < __data_end) {
    message = changetype<usize>("stack overflow");
    file = 0;
  }
  let at = lastWords;
  at += put(at, message ? message : changetype<usize>("aborted"), MESSAGE);
  if (file) {
    at += put(at, changetype<usize>(" ("), FILE);
    at += put(at, file, FILE);
    at = putNumber(at, row);
    at = putNumber(at, column);
    store<u8>(at++, 0x29); // )
  }
  logBytes(Level.error, lastWords, at - lastWords);
  unreachable();
}

function put(at: usize, text: usize, most: i32): usize {
  const units = changetype<OBJECT>(text - TOTAL_OVERHEAD).rtSize >> 1;
  return String.UTF8.encodeUnsafe(text, min<i32>(units, most), at, false, String.UTF8.ErrorMode.REPLACE);
}

/** Puts a colon and a number, and gives where they end. */
function putNumber(at: usize, number: u32): usize {
  let digits = 1;
  for (let rest = number; rest > 9; rest /= 10) digits++;
  store<u8>(at, 0x3a); // :
  for (let i = digits; i > 0; i--) {
    store<u8>(at + i, 0x30 + (number % 10));
    number /= 10;
  }
  return at + digits + 1;
}
