// The contract's functions, lowered by hand to the canonical ABI. Offsets are those of the types in wit/plugin.wit.

import { Event } from "./event";
import { putList, putPairs, putString, release, takeBytes, takePairs, takeString } from "./memory";
import { Ask, current, dispatch } from "./plugin";
import { Result } from "./result";
import "./std";

const ASK = 24;

/** A manifest takes 32 bytes and a result 40, the latter in steps of 8. */
const area = memory.data(40, 8);

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
  const event = takeEvent(
    id, idBytes, source, sourceBytes, provider, providerBytes, type, typeBytes, receivedAtMs, attempt, attributes,
    attributesCount, payload, payloadBytes,
  );
  putResult(area, dispatch(event));
  return area;
}

/** What `handle` is called with, and the responder's `respond` too. */
export function takeEvent(
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
): Event {
  release();
  const pairs = takePairs(attributes, attributesCount);
  const byName = new Map<string, string>();
  for (let i = 0; i < pairs.length; i++) byName.set(pairs[i].name, pairs[i].value);
  return new Event(
    takeString(id, idBytes),
    takeString(source, sourceBytes),
    takeString(provider, providerBytes),
    takeString(type, typeBytes),
    receivedAtMs,
    attempt,
    byName,
    takeBytes(payload, payloadBytes),
  );
}

export function cabi_post_describe(_area: usize): void {
  release();
}

export function cabi_post_handle(_area: usize): void {
  release();
}

function allPatterns(): string[] {
  let all: string[] = [];
  for (let i = 0; i < current.handlers.length; i++) all = all.concat(current.handlers[i].patterns);
  return all;
}

function putAsk(at: usize, ask: Ask): void {
  putString(at, ask.what);
  putString(at + 8, ask.name);
  putPairs(at + 16, ask.detail);
}

/** `result<_, failure>`: 0 or 1; at 8 reject or retry; at 16 why; at 24 whether, and at 32 how long to wait. */
export function putResult(area: usize, result: Result): void {
  const why = result.why;
  memory.fill(area, 0, 40);
  if (why === null) return;
  store<u8>(area, 1);
  store<u8>(area, result.again ? 1 : 0, 8);
  putString(area + 16, why);
  store<u8>(area, result.afterMs ? 1 : 0, 24);
  store<u64>(area, result.afterMs, 32);
}
