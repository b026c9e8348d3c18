// Whether the gateway is calling, or the plugin's file is being built.
//
// A plugin is a snapshot: the code outside its handlers runs once, when the file is built, and what it computed is the
// same in each instance. The gateway can be asked only in a call.

let live = false;
let wide = false;
const starts = [];

/** Whether there is a gateway to ask. */
export function isLive() {
  return live;
}

/** Has this done at the start of each call. */
export function atStart(job) {
  starts.push(job);
}

/** A number of 64 bits as the engine takes it: engines differ. */
export function wideOf(number) {
  return wide && number !== undefined ? BigInt(number) : number;
}

/** Begins a call. `example` is a number of 64 bits as the engine gives it. */
export function begin(example) {
  live = true;
  wide = typeof example === "bigint";
  for (const job of starts) job();
}
