// Calls of the API.

import { errorOf, HookgateError, Unavailable } from "./errors.js";

const BASE = "/api/v1";
const MOST_S = 2 ** 31 / 1000;

/** Where the gateway is and who asks. It follows no redirects: the API key goes nowhere else. */
export class Connection {
  #url;
  #apiKey;
  #timeoutMs;

  constructor({ url, apiKey, timeoutS = 30 } = {}) {
    this.#url = address(setting(url, "url", "HOOKGATE_URL"));
    this.#apiKey = key(setting(apiKey, "apiKey", "HOOKGATE_API_KEY"));
    if (!(timeoutS > 0 && timeoutS < MOST_S)) throw new TypeError(`a timeout is some seconds, and not ${timeoutS}`);
    this.#timeoutMs = Math.ceil(timeoutS * 1000);
  }

  /** Calls what lies at the parts of a path, and gives the JSON of the answer; undefined where it has no content. */
  async call(method, parts, { query = {}, body, headers = {} } = {}) {
    const path = [BASE, ...parts.map(part)].join("/") + search(query);
    const { status, said, retryAfter } = await this.#send(method, path, body, headers);
    if (status < 200 || status > 299) {
      throw errorOf(status, sentence(said) ?? `the gateway answered ${status} to ${method} ${path}`, retryAfter);
    }
    return status === 204 ? undefined : json(said, status);
  }

  async #send(method, path, body, more) {
    const headers = { accept: "application/json", authorization: `Bearer ${this.#apiKey}`, ...more };
    if (body !== undefined) headers["content-type"] = "application/json";
    const content = body === undefined ? undefined : JSON.stringify(body);
    const signal = AbortSignal.timeout(this.#timeoutMs);
    try {
      const response = await fetch(this.#url + path, { method, headers, body: content, redirect: "manual", signal });
      return { status: response.status, said: await response.text(), retryAfter: response.headers.get("retry-after") };
    } catch (cause) {
      throw new Unavailable(`no answer from ${this.#url}: ${why(cause)}`, { cause });
    }
  }
}

function setting(given, name, variable) {
  const value = given ?? process.env[variable];
  if (!value) throw new TypeError(`it is not said which gateway to use: give \`${name}\`, or set ${variable}`);
  return value;
}

function address(url) {
  // A password in it, before an `@`, would be shown with the address.
  if (!/^https?:\/\/[^\s@?#]+$/.test(url) || !URL.canParse(url)) {
    throw new TypeError("the gateway's address is not of the form http://127.0.0.1:8081 or https://example.com/path");
  }
  return url.replace(/\/+$/, "");
}

function key(text) {
  // What does not fit into a header would be shown by the error that says so.
  if (/^[\x21-\x7e]+$/.test(text)) return text;
  throw new TypeError("the API key has characters that no key has: a space, or the end of a line?");
}

/** A part of a path. What comes from elsewhere must not lead elsewhere. */
function part(ofPath) {
  if (typeof ofPath === "string" && /^[A-Za-z0-9_-]+$/.test(ofPath)) return ofPath;
  throw new TypeError(`an id is letters, digits, \`_\` and \`-\`: ${String(ofPath).slice(0, 100)} is none`);
}

function search(query) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  return given.length === 0 ? "" : `?${new URLSearchParams(given)}`;
}

/** The innermost of the reasons of `fetch`, whose own says only that it failed. */
function why(error) {
  const inner = error.cause ?? error;
  return inner.message || inner.code || inner.name;
}

/** What the gateway says of an error. */
function sentence(said) {
  try {
    const { error } = JSON.parse(said);
    return typeof error === "string" ? error : undefined;
  } catch {
    return undefined;
  }
}

function json(said, status) {
  try {
    return JSON.parse(said);
  } catch {
    throw new HookgateError(`the answer is not JSON, and so not from Hookgate: ${said.slice(0, 100)}`, { status });
  }
}
