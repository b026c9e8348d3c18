// Randomness, from the gateway: the engine's own generator starts anew with the same seed in each instance.

import { bytes } from "hookgate:plugin/random@0.1.0";

import { atStart, isLive } from "./call.js";

/** The most that the gateway gives in one call. */
const AT_ONCE = 4096;
const POOL = 256;
const engineRandom = Math.random;

let pool = new Uint8Array(0);
let used = 0;

atStart(() => {
  used = pool.length;
});

/** A number from 0 up to 1 of 53 bits, as the language has it. While the plugin is built, the engine's. */
export function random() {
  if (!isLive()) return engineRandom();
  const [a, b, c, d, e, f, g] = take(7);
  const high = ((a & 31) << 16) | (b << 8) | c;
  const low = d * 2 ** 24 + ((e << 16) | (f << 8) | g);
  return (high * 2 ** 32 + low) / 2 ** 53;
}

/** A few bytes: the gateway is asked once for many. */
function take(count) {
  if (used + count > pool.length) {
    pool = bytes(POOL);
    used = 0;
  }
  used += count;
  return pool.subarray(used - count, used);
}

function getRandomValues(array) {
  if (!ArrayBuffer.isView(array) || /^Float|^DataView/.test(array.constructor.name)) {
    throw new TypeError("getRandomValues takes an array of integers");
  }
  if (array.byteLength > 65536) throw new RangeError("getRandomValues gives at most 65,536 bytes");
  if (!isLive()) throw new Error("there is no randomness yet: this code runs when the plugin is built; move it into a handler");
  const target = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  for (let at = 0; at < target.length; at += AT_ONCE) {
    target.set(bytes(Math.min(AT_ONCE, target.length - at)), at);
  }
  return array;
}

function randomUUID() {
  const id = getRandomValues(new Uint8Array(16));
  id[6] = (id[6] & 0x0f) | 0x40;
  id[8] = (id[8] & 0x3f) | 0x80;
  const hex = Array.from(id, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

export const crypto = { getRandomValues, randomUUID };
