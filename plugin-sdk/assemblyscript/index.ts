// Write plugins for the webhook gateway Hookgate in AssemblyScript.

export { Event } from "./event";
export { log, now, randomBytes, setting } from "./host";
export { on, plugin, Plugin } from "./plugin";
export { Result } from "./result";
