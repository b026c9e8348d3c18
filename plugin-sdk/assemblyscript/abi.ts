// The contract's functions, lowered by hand to the canonical ABI. Offsets are those of the types in wit/plugin.wit.

import { Event } from "./event";
import { Ask, current, dispatch } from "./plugin";
import { Result } from "./result";
import "./std";
import { decode, encode } from "./utf8";

/** Two strings, or any two pairs of address and length. */
const PAIR = 16;
const ASK = 24;

/** A manifest takes 32 bytes and a result 40, the latter in steps of 8. */
const area = memory.data(40, 8);

/** What the gateway still has to read of the last answer. */
const kept: ArrayBuffer[] = [];

/** Gives the gateway memory for what it hands in. Each piece is freed once it is read. */
export function cabi_realloc(old: usize, oldBytes: usize, align: usize, bytes: usize): usize {
  // Nothing needs no memory, but an address that is aligned.
  if (!bytes) return align;
  return oldBytes ? heap.realloc(old, bytes) : heap.alloc(bytes);
}

export function describe(): usize {
  release();
  assert(current.name != "", 'a plugin says what it is: plugin("name", "0.1.0")');
  putString(area, current.name);
  putString(area + 8, current.version);
  const patterns = allPatterns();
  const strings = putList(area + 16, patterns.length, 8);
  for (let i = 0; i < patterns.length; i++) putString(strings + i * 8, patterns[i]);
  const asks = putList(area + 24, current.asks.length, ASK);
  for (let i = 0; i < current.asks.length; i++) putAsk(asks + i * ASK, current.asks[i]);
  return area;
}

export function handle(
  id: usize,
  idBytes: usize,
  source: usize,
  sourceBytes: usize,
  provider: usize,
  providerBytes: usize,
  type: usize,
  typeBytes: usize,
  receivedAtMs: i64,
  attempt: u32,
  attributes: usize,
  attributesCount: usize,
  payload: usize,
  payloadBytes: usize,
): usize {
  release();
  const event = new Event(
    takeString(id, idBytes),
    takeString(source, sourceBytes),
    takeString(provider, providerBytes),
    takeString(type, typeBytes),
    receivedAtMs,
    attempt,
    takePairs(attributes, attributesCount),
    takeBytes(payload, payloadBytes),
  );
  putResult(dispatch(event));
  return area;
}

export function cabi_post_describe(_area: usize): void {
  release();
}

export function cabi_post_handle(_area: usize): void {
  release();
}

function release(): void {
  kept.length = 0;
}

function allPatterns(): string[] {
  let all: string[] = [];
  for (let i = 0; i < current.handlers.length; i++) all = all.concat(current.handlers[i].patterns);
  return all;
}

function takeString(at: usize, bytes: usize): string {
  const text = decode(at, bytes);
  if (bytes) heap.free(at);
  return text;
}

function takeBytes(at: usize, bytes: usize): Uint8Array {
  const taken = new Uint8Array(<i32>bytes);
  memory.copy(taken.dataStart, at, bytes);
  if (bytes) heap.free(at);
  return taken;
}

function takePairs(at: usize, count: usize): Map<string, string> {
  const pairs = new Map<string, string>();
  for (let pair = at; pair < at + count * PAIR; pair += PAIR) {
    const name = takeString(load<usize>(pair), load<usize>(pair, 4));
    pairs.set(name, takeString(load<usize>(pair, 8), load<usize>(pair, 12)));
  }
  if (count) heap.free(at);
  return pairs;
}

function putString(at: usize, text: string): void {
  const bytes = encode(text);
  kept.push(bytes);
  store<usize>(at, changetype<usize>(bytes));
  store<usize>(at, bytes.byteLength, 4);
}

/** Puts a list of so many elements and gives where they go. */
function putList(at: usize, count: i32, elementBytes: i32): usize {
  const elements = new ArrayBuffer(count * elementBytes);
  kept.push(elements);
  store<usize>(at, changetype<usize>(elements));
  store<usize>(at, count, 4);
  return changetype<usize>(elements);
}

function putAsk(at: usize, ask: Ask): void {
  const fallback = ask.fallback;
  putString(at, "setting");
  putString(at + 8, ask.key);
  const detail = putList(at + 16, fallback === null ? 1 : 2, PAIR);
  putString(detail, "about");
  putString(detail + 8, ask.about);
  if (fallback !== null) {
    putString(detail + 16, "default");
    putString(detail + 24, fallback);
  }
}

/** `result<_, failure>`: 0 or 1; at 8 reject or retry; at 16 why; at 24 whether, and at 32 how long to wait. */
function putResult(result: Result): void {
  const why = result.why;
  memory.fill(area, 0, 40);
  if (why === null) return;
  store<u8>(area, 1);
  store<u8>(area, result.again ? 1 : 0, 8);
  putString(area + 16, why);
  store<u8>(area, result.afterMs ? 1 : 0, 24);
  store<u64>(area, result.afterMs, 32);
}
