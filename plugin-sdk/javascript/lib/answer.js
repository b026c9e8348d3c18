// What a plugin answers to a sender that waits.

import { bytesOf, rawOf } from "./bytes.js";
import { Headers } from "./headers.js";
import { bytesIn, Response, TEXT } from "./response.js";

/** What a handler gave, as the contract has it. */
export function answerOf(returned) {
  if (returned instanceof Response) return written(returned.status, returned.headers, bytesIn(returned));
  const { status = 200, headers, body, ...rest } = plain(returned);
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw new TypeError(`an answer has a status, headers and a body, and no \`${unknown}\``);
  if (!(Number.isInteger(status) && status >= 200 && status <= 599)) throw new TypeError(`an answer has no status ${status}`);
  const all = new Headers(headers);
  const type = typeOf(body);
  if (type !== undefined && !all.has("content-type")) all.set("content-type", type);
  return written(status, all, isNone(body) ? new Uint8Array(0) : bytesOf(body, "the body of an answer"));
}

function written(status, headers, body) {
  return { status, headers: [...headers], body };
}

function plain(value) {
  const kind = typeof value === "object" && value !== null ? Object.getPrototypeOf(value) : undefined;
  if (kind === Object.prototype || kind === null) return value;
  throw new TypeError("the handler gave no answer: return { status, headers, body }, or a Response");
}

/** Text is text, bytes are anything, and all else is written as JSON. */
function typeOf(body) {
  if (isNone(body)) return undefined;
  if (typeof body === "string") return TEXT;
  return rawOf(body) === undefined ? "application/json" : undefined;
}

function isNone(body) {
  return body === undefined || body === null;
}
