// How texts and lists lie in memory, on their way to the gateway and back.

import { Pair } from "./pair";
import { decode, encode } from "./utf8";

/** Two strings, or any two pairs of address and length. */
export const PAIR = 16;

/** What the gateway still has to read. */
const kept: ArrayBuffer[] = [];

/** Lets go of what the gateway has read. */
export function release(): void {
  kept.length = 0;
}

export function takeString(at: usize, bytes: usize): string {
  const text = decode(at, bytes);
  if (bytes) heap.free(at);
  return text;
}

export function takeBytes(at: usize, bytes: usize): Uint8Array {
  const taken = new Uint8Array(<i32>bytes);
  memory.copy(taken.dataStart, at, bytes);
  if (bytes) heap.free(at);
  return taken;
}

export function takeStrings(at: usize, count: usize): string[] {
  const texts = new Array<string>();
  for (let text = at; text < at + count * 8; text += 8) texts.push(takeString(load<usize>(text), load<usize>(text, 4)));
  if (count) heap.free(at);
  return texts;
}

export function takePairs(at: usize, count: usize): Pair[] {
  const pairs = new Array<Pair>();
  for (let pair = at; pair < at + count * PAIR; pair += PAIR) {
    const name = takeString(load<usize>(pair), load<usize>(pair, 4));
    pairs.push(new Pair(name, takeString(load<usize>(pair, 8), load<usize>(pair, 12))));
  }
  if (count) heap.free(at);
  return pairs;
}

export function putString(at: usize, text: string): void {
  const bytes = encode(text);
  kept.push(bytes);
  store<usize>(at, changetype<usize>(bytes));
  store<usize>(at, bytes.byteLength, 4);
}

/** Puts a list of so many elements and gives where they go. */
export function putList(at: usize, count: i32, elementBytes: i32): usize {
  const elements = new ArrayBuffer(count * elementBytes);
  kept.push(elements);
  store<usize>(at, changetype<usize>(elements));
  store<usize>(at, count, 4);
  return changetype<usize>(elements);
}

export function putPairs(at: usize, pairs: Pair[]): void {
  const elements = putList(at, pairs.length, PAIR);
  for (let i = 0; i < pairs.length; i++) {
    putString(elements + i * PAIR, pairs[i].name);
    putString(elements + i * PAIR + 8, pairs[i].value);
  }
}

export function putBytes(at: usize, bytes: Uint8Array): void {
  memory.copy(putList(at, bytes.length, 1), bytes.dataStart, bytes.length);
}
