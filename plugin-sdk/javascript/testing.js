// Tests without the gateway and without WebAssembly: plain `node --test`.

import { AsyncLocalStorage } from "node:async_hooks";

import { createConsole } from "./lib/console.js";
import { Event } from "./lib/event.js";
import { attempt, contextOf } from "./lib/plugin.js";

/** What a made-up event was received at, so that a test is the same each day: 2026-01-01. */
const RECEIVED_AT_MS = 1_767_225_600_000;

/** The console of the run that is going on, so that runs beside each other do not meet. */
const running = new AsyncLocalStorage();

let outside = globalThis.console;
Object.defineProperty(globalThis, "console", {
  get: () => running.getStore() ?? outside,
  set: (console) => {
    outside = console;
  },
  configurable: true,
});

/** Makes an event up. */
export function event(type, fields = {}) {
  const { id = "evt_0000000000000", source = "test", provider = "test", attempt = 1, attributes = {} } = fields;
  const receivedAtMs = Number(fields.receivedAt ?? RECEIVED_AT_MS);
  return new Event({ id, source, provider, type, receivedAtMs, attempt, attributes: Object.entries(attributes), payload: bytesOf(fields) });
}

function bytesOf({ payload = new Uint8Array(0), json }) {
  const body = json === undefined ? payload : JSON.stringify(json);
  return typeof body === "string" ? new TextEncoder().encode(body) : body;
}

/** Gives an event to a plugin as the gateway would. */
export async function run(plugin, event, { settings = {} } = {}) {
  const logs = [];
  const { console } = createConsole((level, line) => {
    logs.push(`${level}: ${line}`);
    show(level, line);
  });
  const host = { setting: settingsOf(plugin, settings), trace: (error) => outside.error(error) };
  const outcome = await running.run(console, () => attempt(plugin, event, contextOf(plugin, host), host));
  return { ...outcome, logs };
}

function show(level, line) {
  const method = level === "trace" ? "debug" : level;
  outside[method](line);
}

/** What the operator granted, or the default that the plugin gave. */
function settingsOf({ manifest }, granted) {
  const known = new Map(manifest.asks.map(({ name, detail }) => [name, new Map(detail).get("default")]));
  for (const [key, value] of Object.entries(granted)) {
    if (!known.has(key)) throw new TypeError(`the plugin has no setting \`${key}\``);
    known.set(key, value);
  }
  for (const [key, value] of known) {
    if (value === undefined) throw new TypeError(`the setting \`${key}\` has no default: the test must grant it`);
  }
  return (key) => known.get(key);
}
