// Events that a plugin makes.

import { putBytes, putPairs, putString, release } from "./memory";
import { Pair } from "./pair";
import { Problem, problemIn } from "./problem";

// @ts-ignore: decorator
@external("hookgate:plugin/events@0.1.0", "emit")
declare function hostEmit(
  type: usize, typeBytes: usize, payload: usize, payloadBytes: usize, attributes: usize, attributesCount: usize, area: usize,
): void;

/** Where the gateway puts what it gives. */
const area = memory.data(16, 4);

/** Where type, payload and attributes stand that are handed over, each as its address and length. */
const given = memory.data(24, 4);

/**
 * Makes an event, to which others can subscribe as `plugin:<type>`. Ask for it with `plugin(...).emits("video.*")`. It is
 * accepted if the handler is done, and not at all if it is not.
 */
export function emit(type: string, payload: string, attributes: Pair[] = []): Problem | null {
  putString(given + 8, payload);
  return emitGiven(type, attributes);
}

/** The same with bytes that need not be text. */
export function emitBytes(type: string, payload: Uint8Array, attributes: Pair[] = []): Problem | null {
  putBytes(given + 8, payload);
  return emitGiven(type, attributes);
}

function emitGiven(type: string, attributes: Pair[]): Problem | null {
  putString(given, type);
  putPairs(given + 16, attributes);
  hostEmit(
    load<usize>(given), load<usize>(given, 4), load<usize>(given, 8), load<usize>(given, 12), load<usize>(given, 16),
    load<usize>(given, 20), area,
  );
  release();
  return problemIn(area);
}
