// What a plugin asks the operator for, as the gateway is told it.

import { readSetting, settingText, types } from "./settings.js";

const HOST = /^(\*|(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\])$/;
const METHOD = /^[A-Z]+$/;
const CREDENTIALS = ["bearer", "basic", "header"];

/** The asks of an author's table. `replies` are the patterns that it answers. */
export function asksOf({ settings = {}, hosts = [], state = false, emits = [] }, replies) {
  return [
    ...Object.entries(object(settings, "`settings`")).map(setting),
    ...named(hosts, "`hosts`").map(host),
    ...(state === false ? [] : [memory(state)]),
    ...named(emits, "`emits`").map(emit),
    ...replies.map((name) => ({ what: "reply", name, detail: [] })),
  ];
}

function setting([key, fields]) {
  const { about, type, default: value } = object(fields, `the setting \`${key}\``);
  const detail = aboutOf(about, `setting \`${key}\``);
  if (type !== undefined) detail.push(["type", oneOf(type, types, `the type of setting \`${key}\``)]);
  if (value !== undefined) detail.push(["default", defaultOf(key, type, value)]);
  return { what: "setting", name: key, detail };
}

function defaultOf(key, type = "text", value) {
  const text = type === "text" ? string(value, `the default of setting \`${key}\``) : settingText(value);
  readSetting(key, type, text);
  return text;
}

function host([name, fields]) {
  if (!HOST.test(name)) throw new TypeError(`\`${name}\` is no host: \`api.example.com\`, without a scheme, a port and a path`);
  const { about, methods = [], credential, optional } = fields;
  const detail = aboutOf(about, `host \`${name}\``);
  if (!Array.isArray(methods)) throw new TypeError(`the methods of host \`${name}\` are not an array`);
  const wrong = methods.find((method) => !METHOD.test(method));
  if (wrong !== undefined) throw new TypeError(`\`${wrong}\` is no method: \`GET\``);
  if (methods.length > 0) detail.push(["methods", methods.join(" ")]);
  if (credential !== undefined) detail.push(["credential", oneOf(credential, CREDENTIALS, `the credential of host \`${name}\``)]);
  return { what: "host", name, detail: [...detail, ...optionalOf(optional)] };
}

function memory(fields) {
  const { about, optional } = fields === true ? {} : object(fields, "`state`");
  return { what: "state", name: "", detail: [...aboutOf(about, "`state`"), ...optionalOf(optional)] };
}

function emit([name, { about, optional }]) {
  if (!/^\S+$/.test(name)) throw new TypeError(`\`${name}\` is no pattern of types of events`);
  return { what: "emit", name, detail: [...aboutOf(about, `emitting \`${name}\``), ...optionalOf(optional)] };
}

/** Names and what is said of each: of an array of names, nothing. */
function named(value, what) {
  if (Array.isArray(value)) return value.map((name) => [string(name, `a name in ${what}`), {}]);
  return Object.entries(object(value, what)).map(([name, fields]) => [name, object(fields, `\`${name}\` in ${what}`)]);
}

function aboutOf(about, what) {
  return about === undefined ? [] : [["about", string(about, `what ${what} is about`)]];
}

function optionalOf(optional = false) {
  if (typeof optional !== "boolean") throw new TypeError("`optional` is true or false");
  return optional ? [["optional", "true"]] : [];
}

function oneOf(value, known, what) {
  if (!known.includes(value)) throw new TypeError(`${what} is none of ${known.join(", ")}`);
  return value;
}

export function object(value, what) {
  if (typeof value !== "object" || value === null) throw new TypeError(`${what} is not an object`);
  return value;
}

export function string(value, what) {
  if (typeof value !== "string") throw new TypeError(`${what} is not a string`);
  return value;
}
