// Puts in place what plugins expect of the language and the engine does not have, or has only frozen.
//
// Imported first of all, so that no other code can keep a reference to what was there before.

import { log } from "hookgate:plugin/log@0.1.0";

import { createConsole } from "../lib/console.js";
import { createFetch } from "../lib/fetch.js";
import { Headers } from "../lib/headers.js";
import { Response } from "../lib/response.js";
import { AbortController, AbortSignal } from "./abort.js";
import * as absent from "./absent.js";
import { atStart, isLive } from "./call.js";
import { structuredClone } from "./clone.js";
import { Date, performance } from "./clock.js";
import { send } from "./powers.js";
import { Promise, queueMicrotask } from "./promise.js";
import { crypto, random } from "./random.js";
import { URLSearchParams } from "./search-params.js";
import { TextDecoder, TextEncoder } from "./text.js";
import { URL } from "./url.js";

const web = { fetch: createFetch(send), Headers, Response, AbortController, AbortSignal };
/** Everywhere: the engine's own would stand still, wait for jobs that nobody runs, or know no gateway. */
const ours = { Date, performance, Promise, queueMicrotask, crypto, ...absent, ...web };
/** Where the engine has none. */
const missing = { structuredClone, TextDecoder, TextEncoder, URL, URLSearchParams };

function install(name, value) {
  // The build renames what is called like something that the author uses.
  if (typeof value === "function") Object.defineProperty(value, "name", { value: name, configurable: true });
  Object.defineProperty(globalThis, name, { value, writable: true, enumerable: false, configurable: true });
}

for (const [name, value] of Object.entries(ours)) install(name, value);
for (const [name, value] of Object.entries(missing)) {
  if (!(name in globalThis)) install(name, value);
}
Math.random = random;

Array.fromAsync = async function fromAsync(items, change = (item) => item) {
  const array = [];
  for await (const item of items[Symbol.asyncIterator] || items[Symbol.iterator] ? items : Array.from(items)) {
    array.push(await change(item, array.length));
  }
  return array;
};

/** The gateway cuts a line at 8 KiB: there is no use in giving it much more. */
const LINE = 8193;

/** While the plugin is built there is no log to write to. */
function write(level, line) {
  if (isLive()) log(level, line.slice(0, LINE).toWellFormed());
}

const { console, reset } = createConsole(write);
install("console", console);
atStart(reset);
