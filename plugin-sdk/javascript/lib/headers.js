// Headers of requests and answers, as on the web.

const NAME = /^[!#$%&'*+.^_`|~\w-]+$/;
const IN_NO_VALUE = /[\0\r\n]|[^\0-\xff]/;

let trust;

export class Headers {
  /** Names in lower case, and values. */
  #pairs = [];

  static {
    trust = (headers, pairs) => {
      headers.#pairs = pairs.map(([name, value]) => [name.toLowerCase(), value]);
      return headers;
    };
  }

  constructor(init = []) {
    for (const [name, value] of pairsOf(init)) this.append(name, value);
  }

  append(name, value) {
    this.#pairs.push([nameOf(name), valueOf(value)]);
  }

  delete(name) {
    const known = nameOf(name);
    this.#pairs = this.#pairs.filter(([each]) => each !== known);
  }

  /** All values of a name, with commas between; null where there is none. */
  get(name) {
    const values = this.#valuesOf(nameOf(name));
    return values.length === 0 ? null : values.join(", ");
  }

  getSetCookie() {
    return this.#valuesOf("set-cookie");
  }

  has(name) {
    return this.#valuesOf(nameOf(name)).length > 0;
  }

  set(name, value) {
    const pair = [nameOf(name), valueOf(value)];
    this.delete(name);
    this.#pairs.push(pair);
  }

  forEach(callback, self) {
    for (const [name, value] of this) callback.call(self, value, name, this);
  }

  /** In the order of their names, each once, but for cookies. */
  *entries() {
    for (const name of [...new Set(this.#pairs.map(([name]) => name))].sort()) {
      const values = this.#valuesOf(name);
      for (const value of name === "set-cookie" ? values : [values.join(", ")]) yield [name, value];
    }
  }

  *keys() {
    for (const [name] of this) yield name;
  }

  *values() {
    for (const [, value] of this) yield value;
  }

  [Symbol.iterator]() {
    return this.entries();
  }

  get [Symbol.toStringTag]() {
    return "Headers";
  }

  /** What the log shows. */
  toJSON() {
    return Object.fromEntries(this);
  }

  #valuesOf(name) {
    return this.#pairs.filter(([each]) => each === name).map(([, value]) => value);
  }
}

/** The headers of an answer that came in, whatever stands in them. */
export function received(pairs) {
  return trust(new Headers(), pairs);
}

function pairsOf(init) {
  if (typeof init !== "object" || init === null) throw new TypeError("headers are an object, or pairs of names and values");
  const pairs = typeof init[Symbol.iterator] === "function" ? Array.from(init, (pair) => [...pair]) : Object.entries(init);
  if (pairs.some((pair) => pair.length !== 2)) throw new TypeError("each header is a name and a value");
  return pairs;
}

function nameOf(name) {
  const text = String(name);
  if (!NAME.test(text)) throw new TypeError(`no header has the name \`${text}\``);
  return text.toLowerCase();
}

function valueOf(value) {
  const text = String(value).replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, "");
  if (IN_NO_VALUE.test(text)) throw new TypeError("a header's value is one line of Latin letters");
  return text;
}
