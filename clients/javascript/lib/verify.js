// Says whether a request is Hookgate's, and what it says. What is in doubt is refused.

import { createHmac, timingSafeEqual } from "node:crypto";

import { WrongSignature } from "./errors.js";
import { readTime } from "./time.js";

const PREFIX = "whsec_";
const VERSION = "v1,";
const BYTES = 32;
/** How many signatures of one header are looked at. */
const SIGNATURES = 10;

/** Gives the event of a request that was signed with a secret, or with one of several. */
export function verify(body, headers, secret, { toleranceS = 300, allowUntimed = false } = {}) {
  if (!(body instanceof Uint8Array)) {
    throw new TypeError(`pass the raw bytes of the body as they came, a Uint8Array or a Buffer, and not ${typeof body}`);
  }
  const all = secrets(secret);
  const signatures = header(headers, "webhook-signature");
  if (signatures === undefined && allowUntimed !== true) {
    throw new WrongSignature("there is no webhook-signature, and X-Webhook-Signature counts only with allowUntimed");
  }
  const { found, expected } =
    signatures === undefined ? plain(body, headers, all) : standard(body, headers, all, signatures, toleranceS);
  const pairs = found.flatMap((one) => expected.map((other) => [one, other]));
  // All are compared, so that the time that it takes does not tell which one it is.
  if (pairs.filter(([one, other]) => timingSafeEqual(one, other)).length === 0) {
    throw new WrongSignature("the signature matches no secret");
  }
  return event(body);
}

function secrets(secret) {
  const all = Array.isArray(secret) ? secret : [secret];
  // With an empty one, anybody could sign.
  if (all.length === 0 || all.some((each) => typeof each !== "string" || key(each).length === 0)) {
    throw new TypeError("there is no secret to verify with");
  }
  return all;
}

/** The value of a header that may be there once at the most. */
function header(headers, name) {
  const pairs = typeof headers[Symbol.iterator] === "function" ? [...headers] : Object.entries(headers);
  const values = pairs.filter(([known, value]) => known.toLowerCase() === name && value !== undefined && value !== null);
  if (values.length > 1 || values.some(([, value]) => typeof value !== "string")) {
    throw new WrongSignature(`the header ${name} is repeated, or is not text`);
  }
  return values[0]?.[1];
}

/** The signature of `X-Webhook-Signature`, and those that the secrets make. */
function plain(body, headers, all) {
  const text = header(headers, "x-webhook-signature");
  if (text === undefined) throw new WrongSignature("there is no signature");
  if (!/^[0-9a-f]{64}$/i.test(text)) throw new WrongSignature("the signature is malformed");
  return { found: [Buffer.from(text, "hex")], expected: all.map((secret) => mac(Buffer.from(secret), body)) };
}

/** The signatures of `webhook-signature`, and those that the secrets make. */
function standard(body, headers, all, signatures, toleranceS) {
  const [id, seconds] = [header(headers, "webhook-id"), header(headers, "webhook-timestamp")];
  // A dot in it could be taken for the one behind it.
  if (!/^[A-Za-z0-9_-]{1,256}$/.test(id ?? "")) throw new WrongSignature("the webhook-id is missing or malformed");
  if (!/^[0-9]{1,12}$/.test(seconds ?? "")) throw new WrongSignature("the timestamp is missing or malformed");
  checkTime(Number(seconds), toleranceS);
  const found = signatures.split(" ").map(signature).filter((each) => each !== undefined);
  if (found.length === 0) throw new WrongSignature("the signature is malformed");
  const signed = Buffer.concat([Buffer.from(`${id}.${seconds}.`), body]);
  return { found: found.slice(0, SIGNATURES), expected: all.map((secret) => mac(key(secret), signed)) };
}

function checkTime(seconds, toleranceS) {
  const ageS = Date.now() / 1000 - seconds;
  // Said so that a tolerance that is no number tolerates nothing.
  if (!(Math.abs(ageS) <= toleranceS)) {
    throw new WrongSignature(`the timestamp is ${ageS > 0 ? "too old" : "in the future"}`);
  }
}

/** A signature of one header; undefined for those of other kinds. */
function signature(text) {
  const tag = text.startsWith(VERSION) ? decoded(text.slice(VERSION.length)) : undefined;
  return tag?.length === BYTES ? tag : undefined;
}

/** The bytes that a secret stands for. */
function key(secret) {
  if (!secret.startsWith(PREFIX)) return Buffer.from(secret);
  const text = secret.slice(PREFIX.length).replace(/=+$/, "");
  // Secrets are taken with their padding and without, as the gateway takes them.
  const bytes = decoded(text.padEnd(Math.ceil(text.length / 4) * 4, "="));
  if (bytes === undefined) throw new TypeError(`what follows \`${PREFIX}\` in a secret is base64, and here it is not`);
  return bytes;
}

/** The bytes of base64 that is written in the one way that it is written. */
function decoded(text) {
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? bytes : undefined;
}

function mac(key, signed) {
  return createHmac("sha256", key).update(signed).digest();
}

function event(body) {
  const { id, type, created_at: at, data, resource_id: resourceId = null, resource_type: resourceType = null } = parsed(body);
  const createdAt = readTime(at);
  const isText = [id, type, resourceId ?? "", resourceType ?? ""].every((text) => typeof text === "string");
  if (!isText || createdAt === undefined || data === undefined) {
    throw new WrongSignature("the body is signed, but it is no event of Hookgate");
  }
  return { id, type, createdAt, data, resourceId, resourceType };
}

/** What JSON in UTF-8 reads as; an empty object where it is none. */
function parsed(body) {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body)) ?? {};
  } catch {
    return {};
  }
}
