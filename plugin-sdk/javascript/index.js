// What a plugin imports. Nothing here needs the gateway: the same file runs in Node, in a test.

export { PowerError, Reject, Retry } from "./lib/failure.js";
export { plugin } from "./lib/plugin.js";
