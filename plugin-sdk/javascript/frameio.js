// Frame.io: its API, and what its custom actions are answered. The token is the operator's, and the gateway adds it.

import { isFinal, Retry } from "./lib/failure.js";

/** The most of an answer that is told. */
const TOLD = 200;
const FIELDS = ["text", "textarea", "select", "boolean", "link"];

/** Thrown where Frame.io did not do what it was asked for. */
export class FrameioError extends Error {
  constructor(kind, status, why, options) {
    super(why, options);
    this.kind = kind;
    this.status = status;
  }

  get name() {
    return "FrameioError";
  }

  /** A token can be mended. What is not there, or makes no sense, stays so. */
  get [isFinal]() {
    return this.kind === "not_found" || this.kind === "refused";
  }
}

/** Frame.io's API. */
export function frameio({ baseUrl = "https://api.frame.io" } = {}) {
  const base = baseUrl.replace(/\/+$/, "");
  const account = (id) => `${base}/v4/accounts/${part(id, "an account")}`;
  const file = (accountId, fileId) => `${account(accountId)}/files/${part(fileId, "a file")}`;
  const comments = {
    async create(accountId, fileId, text) {
      return call("POST", `${file(accountId, fileId)}/comments`, { data: { text: words(text, "comment") } });
    },
  };
  const files = {
    async show(accountId, fileId) {
      return call("GET", file(accountId, fileId));
    },
  };
  return { comments, files };
}

/** Answers a custom action with a message. */
frameio.message = ({ title, description }) => shown(heading(title, description));

/** Answers a custom action with a form. What is filled in comes back as `data`, with the same interaction. */
frameio.form = ({ title, description, fields }) => {
  if (!Array.isArray(fields) || fields.length === 0) throw new TypeError("a form has fields");
  return shown({ ...heading(title, description), fields: fields.map(field) });
};

function heading(title, description) {
  return { title: words(title, "title"), description: words(description, "description") };
}

function shown(body) {
  return { status: 200, headers: { "content-type": "application/json" }, body };
}

function field({ type, label, name, value, options }) {
  if (!FIELDS.includes(type)) throw new TypeError(`a field's type is one of ${FIELDS.join(", ")}, and not ${type}`);
  if (type === "select" && !Array.isArray(options)) throw new TypeError(`the field \`${name}\` has no options to select from`);
  return { type, label: words(label, "label"), name: words(name, "name"), value, options };
}

function words(value, what) {
  if (typeof value !== "string") throw new TypeError(`a ${what} is not a string`);
  return value;
}

/** An id in a path. What comes from an event must not lead elsewhere. */
function part(id, of) {
  if (typeof id === "string" && /^[\w-]+$/.test(id)) return id;
  const found = id === undefined ? "there is none" : `\`${id}\` is none`;
  throw new FrameioError("refused", undefined, `${of} is named by its id, and ${found}`);
}

async function call(method, url, body) {
  const headers = { accept: "application/json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  const response = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
  const said = await response.text();
  if (!response.ok) throw failure(response, `Frame.io answered ${response.status} to ${method} ${new URL(url).pathname}`, said);
  return dataIn(said, response.status);
}

function failure({ status, headers }, what, said) {
  const why = said.trim() === "" ? what : `${what}: ${said.trim().slice(0, TOLD)}`;
  if (status === 429 || status === 408 || status >= 500) return new Retry(why, { afterMs: retryAfter(headers.get("retry-after")) });
  if (status === 401 || status === 403) return new FrameioError("unauthorized", status, why);
  if (status === 404) return new FrameioError("not_found", status, why);
  return new FrameioError(status >= 400 ? "refused" : "garbled", status, why);
}

/** Seconds or a date, as milliseconds from now; undefined where it is neither. */
function retryAfter(header) {
  if (header === null) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isSafeInteger(ms) ? Math.max(0, ms) : undefined;
}

function dataIn(said, status) {
  try {
    const { data } = JSON.parse(said);
    if (typeof data === "object" && data !== null) return data;
  } catch {
    // It is told below.
  }
  throw new FrameioError("garbled", status, `Frame.io answered ${status} without data: ${said.slice(0, TOLD)}`);
}
