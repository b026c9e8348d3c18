// An answer, as on the web: of a host that was asked, or of a plugin to who asked it. Its body is there as a whole.

import { rawOf } from "./bytes.js";
import { Headers, received as receivedHeaders } from "./headers.js";

export const TEXT = "text/plain;charset=UTF-8";
const FORM = "application/x-www-form-urlencoded;charset=UTF-8";

let contents;
let become;

export class Response {
  #status;
  #statusText;
  #headers;
  #bytes;
  #isThere;
  #url = "";
  #used = false;

  static {
    contents = (response) => response.#bytes;
    become = (response, status, headers, url) => {
      response.#status = status;
      response.#headers = headers;
      response.#url = url;
      return response;
    };
  }

  constructor(body, { status = 200, statusText = "", headers } = {}) {
    if (!(Number.isInteger(status) && status >= 200 && status <= 599)) throw new RangeError(`a response has no status ${status}`);
    const { bytes, type } = bodyOf(body);
    this.#status = status;
    this.#statusText = String(statusText);
    this.#headers = new Headers(headers);
    this.#bytes = bytes;
    this.#isThere = body !== undefined && body !== null;
    if (type !== undefined && !this.#headers.has("content-type")) this.#headers.set("content-type", type);
  }

  static json(value, { headers, ...init } = {}) {
    const all = new Headers(headers);
    if (!all.has("content-type")) all.set("content-type", "application/json");
    return new this(JSON.stringify(value), { ...init, headers: all });
  }

  get status() {
    return this.#status;
  }

  get ok() {
    return this.#status >= 200 && this.#status <= 299;
  }

  /** The gateway does not tell it. */
  get statusText() {
    return this.#statusText;
  }

  get headers() {
    return this.#headers;
  }

  get url() {
    return this.#url;
  }

  /** Redirects are answers, and not followed. */
  get redirected() {
    return false;
  }

  get bodyUsed() {
    return this.#used;
  }

  async bytes() {
    if (this.#used) throw new TypeError("the body was read before");
    this.#used = this.#isThere;
    return this.#bytes;
  }

  async arrayBuffer() {
    return (await this.bytes()).slice().buffer;
  }

  async text() {
    return new TextDecoder().decode(await this.bytes());
  }

  async json() {
    return JSON.parse(await this.text());
  }

  clone() {
    if (this.#used) throw new TypeError("the body was read before");
    const copy = new this.constructor(this.#isThere ? this.#bytes.slice() : null, { statusText: this.#statusText });
    return become(copy, this.#status, receivedHeaders([...this.#headers]), this.#url);
  }

  get [Symbol.toStringTag]() {
    return "Response";
  }

  /** What the log shows. */
  toJSON() {
    const { status, url, headers } = this;
    return { status, url, headers, bodyBytes: this.#bytes.length };
  }
}

/** What a host answered. */
export function received({ status, headers, body }, url) {
  return become(new Response(body), status, receivedHeaders(headers), url);
}

/** The bytes of a response. */
export function bytesIn(response) {
  return contents(response);
}

/** A body that is sent, as bytes, and what it is if nobody says so. */
export function bodyOf(body) {
  if (body === undefined || body === null) return { bytes: new Uint8Array(0) };
  if (typeof body === "string") return { bytes: rawOf(body), type: TEXT };
  if (body instanceof URLSearchParams) return { bytes: rawOf(String(body)), type: FORM };
  const bytes = rawOf(body);
  if (bytes === undefined) throw new TypeError("a body is text, bytes or URLSearchParams; for JSON, take JSON.stringify");
  return { bytes };
}
