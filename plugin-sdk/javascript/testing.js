// Tests without the gateway and without WebAssembly: plain `node --test`.

import { AsyncLocalStorage } from "node:async_hooks";

import { createConsole } from "./lib/console.js";
import { Event } from "./lib/event.js";
import { PowerError } from "./lib/failure.js";
import { createFetch } from "./lib/fetch.js";
import { Headers } from "./lib/headers.js";
import { matches } from "./lib/pattern.js";
import { attempt, contextOf, respond as answer } from "./lib/plugin.js";
import { received, Response } from "./lib/response.js";
import { readSetting, settingText } from "./lib/settings.js";
import { draft, Memory } from "./testing/memory.js";
import { web } from "./testing/web.js";

export { Memory };

/** What a made-up event was received at, so that a test is the same each day: 2026-01-01. */
const RECEIVED_AT_MS = 1_767_225_600_000;

/** The globals of the run that is going on, so that runs beside each other do not meet. */
const running = new AsyncLocalStorage();

for (const name of ["console", "fetch", "Headers", "Response"]) {
  let outside = globalThis[name];
  Object.defineProperty(globalThis, name, {
    get: () => running.getStore()?.[name] ?? outside,
    set: (value) => {
      outside = value;
    },
    configurable: true,
  });
}

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
export function run(plugin, event, grants) {
  return call(attempt, plugin, event, grants);
}

/** Has a plugin answer the sender of an event. */
export async function respond(plugin, event, grants) {
  const { answer: raw, ...ended } = await call(answer, plugin, event, grants);
  return raw === undefined ? ended : { ...ended, answer: received(raw, "") };
}

async function call(how, plugin, event, { settings = {}, state = new Memory(), emit = true, http } = {}) {
  const [logs, emitted, requests] = [[], [], []];
  const { console } = createConsole((level, line) => {
    logs.push(`${level}: ${line}`);
    show(level, line);
  });
  const memory = memoryOf(state);
  const written = draft(memory);
  const host = {
    setting: settingsOf(plugin, settings),
    state: state !== false && asksFor(plugin, "state") ? written : notGranted("the state: write `state: true`"),
    emit: (...made) => emitted.push(emittedBy(plugin, emit, `evt_emitted${emitted.length + 1}`, ...made)),
    trace: (error) => show("error", error),
  };
  const globals = { console, fetch: createFetch(web(plugin, http, requests)), Headers, Response };
  const ended = await running.run(globals, () => how(plugin, event, contextOf(plugin, host), host));
  if (ended.outcome === "done") written.keep();
  return { ...ended, logs, requests, state: memory, emitted: ended.outcome === "done" ? emitted : [] };
}

/** On the console that is there outside of runs. */
function show(level, line) {
  const method = level === "trace" ? "debug" : level;
  running.exit(() => console[method](line));
}

function memoryOf(state) {
  return state instanceof Memory ? state : new Memory(state || {});
}

function asksFor({ manifest }, what) {
  return manifest.asks.some((ask) => ask.what === what);
}

/** What the gateway says to all that a plugin does without a grant. */
function notGranted(what) {
  const denied = () => {
    throw new PowerError("denied", `the plugin did not ask for ${what}, or was not granted it`);
  };
  return new Proxy({}, { get: () => denied });
}

function emittedBy({ manifest }, granted, id, type, payload, pairs) {
  const asked = manifest.asks.filter(({ what }) => what === "emit");
  if (!granted || !asked.some(({ name }) => matches(name, { type }))) {
    throw new PowerError("denied", `the plugin did not ask for events of type \`${type}\` in \`emits\`, or was not granted them`);
  }
  if (!/^\S{1,256}$/.test(type)) throw new PowerError("invalid", "an event's type is a word of at most 256 bytes");
  const [source, provider] = [`plugin:${manifest.name}`, "plugin"];
  return event(type, { id, source, provider, attributes: Object.fromEntries(pairs), payload });
}

/** What the operator granted, or the default that the plugin gave. */
function settingsOf({ manifest }, granted) {
  const asks = manifest.asks.filter(({ what }) => what === "setting");
  const asked = new Map(asks.map(({ name, detail }) => [name, Object.fromEntries(detail)]));
  const unknown = Object.keys(granted).find((key) => !asked.has(key));
  if (unknown !== undefined) throw new TypeError(`the plugin has no setting \`${unknown}\``);
  const known = new Map();
  for (const [key, { type, default: value }] of asked) {
    const text = granted[key] === undefined ? value : settingText(granted[key]);
    if (text === undefined) throw new TypeError(`the setting \`${key}\` has no default: the test must grant it`);
    readSetting(key, type, text);
    known.set(key, text);
  }
  return (key) => known.get(key);
}
