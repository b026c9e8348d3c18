// What the API answers, as those who ask for it see it.

import { inspect } from "node:util";

import { HookgateError } from "./errors.js";
import { readTime } from "./time.js";

/** What each kind of object is known by. */
const KNOWN_BY = {
  Webhook: ["id", "url", "created_at"],
  Delivery: ["id", "event_id", "history", "created_at"],
  Attempt: ["number", "started_at"],
  Stats: ["total_deliveries", "attempts"],
  TestResult: ["success", "duration_ms"],
  Published: ["id", "duplicate"],
};

/** What is not to get into a log by chance. */
const HIDDEN = ["secret", "customHeaders"];

/** A webhook. It is shown without its secret and its headers: there may be a token in them. */
export function webhook(answer) {
  const made = read("Webhook", answer);
  return Object.defineProperty(made, inspect.custom, { value: (_, options) => inspect(withoutHidden(made), options) });
}

/** A delivery with its attempts. */
export function delivery(answer) {
  const made = read("Delivery", answer);
  return { ...made, history: list((each) => read("Attempt", each), made.history) };
}

/** A list, of which each is read. */
export function list(readOne, answer) {
  if (!Array.isArray(answer)) throw strange("list");
  return answer.map(readOne);
}

/** An object in camel case, with its times as dates. What is no such object is an error. */
export function read(kind, answer) {
  if (KNOWN_BY[kind].some((name) => answer?.[name] === undefined)) throw strange(kind);
  const values = Object.entries(answer).map(([name, value]) => [camel(name), isTime(name) ? date(value) : value]);
  return Object.fromEntries(values);
}

/** One of the values of an answer. */
export function entry(answer, name, isKind) {
  const value = answer?.[name];
  if (!isKind(value)) throw strange(`object with \`${name}\``);
  return value;
}

function withoutHidden(webhook) {
  const hidden = HIDDEN.filter((name) => webhook[name] !== undefined).map((name) => [name, "(hidden)"]);
  return { ...webhook, ...Object.fromEntries(hidden) };
}

function camel(name) {
  return name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
}

function isTime(name) {
  return /_(at|since|until)$/.test(name);
}

function date(text) {
  const made = text === null ? null : readTime(text);
  if (made === undefined) throw strange("time");
  return made;
}

function strange(kind) {
  return new HookgateError(`the answer is no ${kind}, and so not from Hookgate`);
}
