// URLSearchParams: the part of a URL after `?`, as names and values.

export class URLSearchParams {
  #pairs = [];
  #changed;

  /** `changed` is how a URL learns that its parameters are other ones. */
  constructor(init = "", changed = () => {}) {
    this.#changed = changed;
    this.#pairs = pairsOf(init);
  }

  get size() {
    return this.#pairs.length;
  }

  append(name, value) {
    this.#pairs.push([wellFormed(name), wellFormed(value)]);
    this.#changed();
  }

  delete(name, value) {
    this.#pairs = this.#pairs.filter((pair) => !means(pair, name, value));
    this.#changed();
  }

  get(name) {
    return this.#pairs.find((pair) => means(pair, name))?.[1] ?? null;
  }

  getAll(name) {
    return this.#pairs.filter((pair) => means(pair, name)).map(([, value]) => value);
  }

  has(name, value) {
    return this.#pairs.some((pair) => means(pair, name, value));
  }

  /** Puts the value in the first place that the name has, and takes away the others. */
  set(name, value) {
    const first = this.#pairs.findIndex((pair) => means(pair, name));
    if (first < 0) return this.append(name, value);
    this.#pairs[first] = [wellFormed(name), wellFormed(value)];
    this.#pairs = this.#pairs.filter((pair, at) => at <= first || !means(pair, name));
    this.#changed();
  }

  sort() {
    this.#pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    this.#changed();
  }

  forEach(callback, self) {
    for (const [name, value] of this.#pairs) callback.call(self, value, name, this);
  }

  *entries() {
    for (const [name, value] of this.#pairs) yield [name, value];
  }

  *keys() {
    for (const [name] of this.#pairs) yield name;
  }

  *values() {
    for (const [, value] of this.#pairs) yield value;
  }

  [Symbol.iterator]() {
    return this.entries();
  }

  toString() {
    return this.#pairs.map((pair) => pair.map(encode).join("=")).join("&");
  }

  get [Symbol.toStringTag]() {
    return "URLSearchParams";
  }
}

function pairsOf(init) {
  if (typeof init !== "object" || init === null) return parse(String(init));
  const entries = typeof init[Symbol.iterator] === "function" ? Array.from(init, (pair) => [...pair]) : Object.entries(init);
  if (entries.some((pair) => pair.length !== 2)) throw new TypeError("each parameter is a name and a value");
  return entries.map((pair) => pair.map(wellFormed));
}

function parse(query) {
  const pieces = query.replace(/^\?/, "").split("&").filter((piece) => piece !== "");
  return pieces.map((piece) => {
    const [, name, value = ""] = /^([^=]*)=?(.*)$/s.exec(piece);
    return [decode(name), decode(value)];
  });
}

function decode(text) {
  const spaced = text.replaceAll("+", " ").toWellFormed();
  if (!spaced.includes("%")) return spaced;
  // What is no `%XX` stays as it is.
  const latin1 = unescape(encodeURIComponent(spaced)).replace(/%([0-9A-Fa-f]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(latin1, (c) => c.charCodeAt(0)));
}

function encode(text) {
  const rest = { "%20": "+" };
  const percent = (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(text).replace(/%20|[!'()~]/g, (c) => rest[c] ?? percent(c));
}

function means([known, content], name, value) {
  return known === wellFormed(name) && (value === undefined || content === wellFormed(value));
}

function wellFormed(value) {
  return String(value).toWellFormed();
}
