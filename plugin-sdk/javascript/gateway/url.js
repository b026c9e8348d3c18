// URL, as far as plugins need it. Hosts are taken in ASCII only, and numbers in them only as `127.0.0.1`.

import { URLSearchParams } from "./search-params.js";

const PORTS = { "http:": "80", "https:": "443", "ws:": "80", "wss:": "443", "ftp:": "21", "file:": "" };

const IN_FRAGMENT = /[\0-\x20"<>`\x7f-\u{10ffff}]/gu;
const IN_QUERY = /[\0-\x20"#<>\x7f-\u{10ffff}]/gu;
const IN_SPECIAL_QUERY = /[\0-\x20"#'<>\x7f-\u{10ffff}]/gu;
const IN_PATH = /[\0-\x20"#<>?^`{}\x7f-\u{10ffff}]/gu;
const IN_OPAQUE = /[\0-\x1f\x7f-\u{10ffff}]/gu;
const IN_USER = /[\0-\x20"#/:;<=>?@[\\\]^`{|}\x7f-\u{10ffff}]/gu;

export class URL {
  #parts;
  #params;

  constructor(url, base) {
    this.#parts = parse(String(url), base === undefined ? undefined : new URL(base).#parts);
    this.#params = new URLSearchParams(this.#parts.search, () => {
      const query = this.#params.toString();
      this.#parts.search = query && `?${query}`;
    });
  }

  static canParse(url, base) {
    return URL.parse(url, base) !== null;
  }

  static parse(url, base) {
    try {
      return new URL(url, base);
    } catch {
      return null;
    }
  }

  get href() {
    return write(this.#parts);
  }

  set href(url) {
    this.#become(parse(String(url)));
  }

  get origin() {
    const { protocol } = this.#parts;
    return isSpecial(protocol) && protocol !== "file:" ? `${protocol}//${this.host}` : "null";
  }

  get protocol() {
    return this.#parts.protocol;
  }

  set protocol(value) {
    const protocol = /^([a-z][a-z0-9+.-]*):?/i.exec(value)?.[0].toLowerCase().replace(/:?$/, ":");
    if (protocol === undefined || isSpecial(protocol) !== isSpecial(this.protocol)) return;
    this.#change({ protocol, port: portOf(protocol, this.port) });
  }

  get username() {
    return this.#parts.username;
  }

  set username(value) {
    if (this.#parts.host) this.#change({ username: encode(value, IN_USER) });
  }

  get password() {
    return this.#parts.password;
  }

  set password(value) {
    if (this.#parts.host) this.#change({ password: encode(value, IN_USER) });
  }

  get host() {
    return this.port === "" ? this.hostname : `${this.hostname}:${this.port}`;
  }

  set host(value) {
    const parts = !this.#parts.opaque && attempted(() => readAuthority(String(value).replace(/[/?#\\].*$/s, ""), this.protocol));
    if (parts) this.#change({ host: parts.host, port: /:\d/.test(value) ? parts.port : this.port });
  }

  get hostname() {
    return this.#parts.host ?? "";
  }

  set hostname(value) {
    const host = !this.#parts.opaque && attempted(() => readHost(String(value), this.protocol));
    if (host) this.#change({ host });
  }

  get port() {
    return this.#parts.port;
  }

  set port(value) {
    const digits = /^\d*/.exec(String(value))[0];
    if (Number(digits) <= 65535 && (digits !== "" || value === "")) this.#change({ port: portOf(this.protocol, digits) });
  }

  get pathname() {
    return this.#parts.path;
  }

  set pathname(value) {
    if (!this.#parts.opaque) this.#change({ path: readPath(String(value), this.protocol) });
  }

  get search() {
    return this.#parts.search;
  }

  set search(value) {
    const query = String(value).replace(/^\?/, "");
    this.#change({ search: query && `?${encode(query, queryRules(this.protocol))}` });
  }

  get searchParams() {
    return this.#params;
  }

  get hash() {
    return this.#parts.hash;
  }

  set hash(value) {
    const fragment = String(value).replace(/^#/, "");
    this.#change({ hash: fragment && `#${encode(fragment, IN_FRAGMENT)}` });
  }

  toString() {
    return this.href;
  }

  toJSON() {
    return this.href;
  }

  get [Symbol.toStringTag]() {
    return "URL";
  }

  #change(parts) {
    this.#become({ ...this.#parts, ...parts });
  }

  /** The parameters stay the same object, whatever becomes of the URL. */
  #become(parts) {
    const { search } = parts;
    for (const name of [...this.#params.keys()]) this.#params.delete(name);
    for (const [name, value] of new URLSearchParams(search)) this.#params.append(name, value);
    this.#parts = parts;
  }
}

function parse(text, base) {
  const url = text.replace(/^[\0-\x20]+|[\0-\x20]+$/g, "").replace(/[\t\n\r]/g, "");
  const [, scheme, rest] = /^(?:([a-z][a-z0-9+.-]*):)?(.*)$/is.exec(url);
  const protocol = scheme === undefined ? base?.protocol : `${scheme.toLowerCase()}:`;
  if (protocol === undefined) throw new TypeError(`Invalid URL: ${text}`);
  const [, before, search = "", hash = ""] = /^([^?#]*)(\?[^#]*)?(#.*)?$/s.exec(rest);
  const tail = {
    protocol,
    search: search.length > 1 ? `?${encode(search.slice(1), queryRules(protocol))}` : "",
    hash: hash.length > 1 ? `#${encode(hash.slice(1), IN_FRAGMENT)}` : "",
  };
  const body = isSpecial(protocol) ? before.replaceAll("\\", "/") : before;
  if (scheme !== undefined) return { ...absolute(body, protocol), ...tail };
  const kept = body + search === "" ? { search: base.search } : {};
  return { ...relative(body, base, search), ...tail, ...kept };
}

function absolute(body, protocol) {
  const special = isSpecial(protocol) && protocol !== "file:";
  const [, slashes, authority, path] = /^(\/*)([^/]*)(.*)$/s.exec(body);
  if (special) return { ...readAuthority(authority, protocol), path: readPath(path, protocol) };
  if (slashes.length >= 2) {
    const [, name, rest] = /^\/\/([^/]*)(.*)$/s.exec(body);
    return { ...readAuthority(name, protocol), path: readPath(rest, protocol) };
  }
  const nobody = { username: "", password: "", host: protocol === "file:" ? "" : null, port: "" };
  if (slashes.length === 1 || protocol === "file:") return { ...nobody, path: readPath(body, protocol) };
  return { ...nobody, path: encode(body, IN_OPAQUE), opaque: true };
}

function relative(body, base, search) {
  if (base.opaque && body + search !== "") throw new TypeError("Invalid URL: what it is relative to has no path");
  if (body.startsWith("//")) return absolute(body, base.protocol);
  if (body.startsWith("/")) return { ...base, path: readPath(body, base.protocol) };
  if (body === "") return base;
  return { ...base, path: readPath(base.path.replace(/[^/]*$/, "") + body, base.protocol) };
}

function readAuthority(authority, protocol) {
  const at = authority.lastIndexOf("@");
  const [, username, password = ""] = /^([^:]*):?(.*)$/s.exec(authority.slice(0, Math.max(0, at)));
  const [, name, port = ""] = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(authority.slice(at + 1)) ?? [];
  const nobody = name === "" && (at >= 0 || port !== "");
  if (name === undefined || Number(port) > 65535 || nobody) throw new TypeError(`Invalid URL: ${authority}`);
  const user = { username: encode(username, IN_USER), password: encode(password, IN_USER) };
  return { ...user, host: readHost(name, protocol), port: portOf(protocol, port) };
}

function readHost(name, protocol) {
  const plain = isSpecial(protocol) ? attempted(() => decodeURIComponent(name))?.toLowerCase() : encode(name, IN_OPAQUE);
  const good = name.startsWith("[") ? /^\[[0-9a-f:.]+\]$/.test(plain) : plain !== undefined && isHost(plain, protocol);
  if (!good) throw new TypeError(`Invalid URL: the host \`${name}\``);
  return protocol === "file:" && plain === "localhost" ? "" : plain;
}

function isHost(name, protocol) {
  if (name === "") return !isSpecial(protocol) || protocol === "file:";
  if (/[\0-\x20#/:<>?@[\\\]^|\x7f-\uffff]/.test(name) || (isSpecial(protocol) && name.includes("%"))) return false;
  const last = name.replace(/\.$/, "").split(".").pop();
  if (!isSpecial(protocol) || !/^(\d+|0x[0-9a-f]*)$/.test(last)) return true;
  return /^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/.test(name) && name.split(".").every((number) => number <= 255);
}

/** Without `.`, `..` and what they take back. */
function readPath(path, protocol) {
  const text = isSpecial(protocol) ? path.replaceAll("\\", "/").replace(/^(?!\/)/, "/") : path;
  const segments = [];
  const pieces = encode(text, IN_PATH).split("/").slice(1);
  for (const [at, piece] of pieces.entries()) {
    const last = at === pieces.length - 1;
    if (/^(\.|%2e){2}$/i.test(piece)) {
      segments.pop();
      if (last) segments.push("");
    } else if (/^(\.|%2e)$/i.test(piece)) {
      if (last) segments.push("");
    } else {
      segments.push(piece);
    }
  }
  return text === "" ? "" : `/${segments.join("/")}`;
}

function write({ protocol, username, password, host, port, path, search, hash }) {
  const user = username + (password && `:${password}`);
  const authority = host === null ? "" : `//${user && `${user}@`}${host}${port && `:${port}`}`;
  return protocol + authority + path + search + hash;
}

function encode(text, rules) {
  const percent = (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
  return String(text).toWellFormed().replace(rules, (c) => (c < "\x80" ? percent(c) : encodeURIComponent(c)));
}

function queryRules(protocol) {
  return isSpecial(protocol) ? IN_SPECIAL_QUERY : IN_QUERY;
}

function portOf(protocol, port) {
  const number = port === "" ? "" : String(Number(port));
  return number === PORTS[protocol] ? "" : number;
}

function isSpecial(protocol) {
  return Object.hasOwn(PORTS, protocol);
}

function attempted(read) {
  try {
    return read();
  } catch {
    return undefined;
  }
}
