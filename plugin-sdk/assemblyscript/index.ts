// Write plugins for the webhook gateway Hookgate in AssemblyScript.

export { emit, emitBytes } from "./emit";
export { Event } from "./event";
export { log, now, randomBytes, setting } from "./host";
export { http, Request, Response } from "./http";
export { quote } from "./json";
export { Pair } from "./pair";
export { on, plugin, Plugin } from "./plugin";
export { Got, Kind, Problem } from "./problem";
export { Result } from "./result";
export { state } from "./state";
