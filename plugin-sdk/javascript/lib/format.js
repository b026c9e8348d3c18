// How values look in the log: as in Node, but each on one line.

const DEPTH = 4;
const ITEMS = 100;
/** The gateway cuts a line at 8 KiB. */
const CHARACTERS = 8192;

/** What `console.log(...values)` writes. */
export function format(values) {
  const [first, ...rest] = values;
  const pieces = typeof first === "string" ? [fill(first, rest)] : values.slice(0, 1).map(shown);
  return [...pieces, ...rest.map(shown)].join(" ");
}

/** Puts values in the places of `%s`, `%d`, ..., and takes them from the list. */
function fill(template, values) {
  if (values.length === 0 || !template.includes("%")) return template;
  return template.replace(/%[sdifjoOc%]/g, (place) => {
    if (place === "%%") return "%";
    if (values.length === 0) return place;
    return placed(place, values.shift());
  });
}

function placed(place, value) {
  switch (place) {
    case "%s": return typeof value === "object" ? inspect(value) : String(value);
    case "%d": return typeof value === "bigint" ? `${value}n` : String(Number(value));
    case "%i": return typeof value === "bigint" ? `${value}n` : String(Number.parseInt(value, 10));
    case "%f": return String(Number.parseFloat(value));
    case "%j": return json(value);
    case "%c": return "";
    default: return inspect(value);
  }
}

function json(value) {
  try {
    return String(JSON.stringify(value));
  } catch {
    return "[Circular]";
  }
}

function shown(value) {
  return typeof value === "string" ? value : inspect(value);
}

/** A value as an author would write it. */
export function inspect(value) {
  return new Inspection().any(value, 0);
}

class Inspection {
  #open = [];
  #left = CHARACTERS;

  any(value, depth) {
    const text = this.#text(value, depth);
    if (depth > 0) this.#left -= text.length;
    return text;
  }

  #text(value, depth) {
    switch (typeof value) {
      case "string": return quoted(value);
      case "bigint": return `${value}n`;
      case "number": return Object.is(value, -0) ? "-0" : String(value);
      case "function": return this.#function(value);
      case "object": return value === null ? "null" : this.#object(value, depth);
      default: return String(value);
    }
  }

  #function(value) {
    const kind = /^class\b/.test(Function.prototype.toString.call(value)) ? "class" : "Function";
    return value.name ? `[${kind}: ${value.name}]` : `[${kind} (anonymous)]`;
  }

  #object(value, depth) {
    if (this.#open.includes(value)) return "[Circular]";
    if (depth > DEPTH) return Array.isArray(value) ? "[Array]" : `[${className(value) ?? "Object"}]`;
    this.#open.push(value);
    try {
      return this.#opened(value, depth + 1);
    } finally {
      this.#open.pop();
    }
  }

  #opened(value, depth) {
    if (value instanceof Error) return this.#error(value, depth);
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
    if (value instanceof RegExp) return String(value);
    if (value instanceof Promise) return "Promise {}";
    if (value instanceof Map) return this.#map(value, depth);
    if (value instanceof Set) return `Set(${value.size}) ${this.#list("{}", value, (item) => this.any(item, depth))}`;
    if (Array.isArray(value)) return this.#list("[]", value, (item) => this.any(item, depth), value.length);
    if (ArrayBuffer.isView(value)) return this.#bytes(value, depth);
    if (value instanceof ArrayBuffer) return `ArrayBuffer { byteLength: ${value.byteLength} }`;
    if (isBoxed(value)) return `[${className(value)}: ${this.any(value.valueOf(), depth)}]`;
    return this.#plain(value, depth);
  }

  #map(map, depth) {
    const entry = ([key, value]) => `${this.any(key, depth)} => ${this.any(value, depth)}`;
    return `Map(${map.size}) ${this.#list("{}", map, entry)}`;
  }

  #bytes(view, depth) {
    const name = className(view) ?? "DataView";
    if (view instanceof DataView) return `${name} { byteLength: ${view.byteLength} }`;
    return `${name}(${view.length}) ${this.#list("[]", view, (item) => this.any(item, depth), view.length)}`;
  }

  #plain(value, depth) {
    const name = className(value);
    const prefix = name === undefined || name === "Object" ? "" : `${name} `;
    const json = prefix && typeof value.toJSON === "function" ? attempted(() => value.toJSON()) : undefined;
    if (json !== undefined && typeof json !== "object") return prefix + this.any(json, depth);
    return prefix + this.#fields(json ?? value, depth);
  }

  #fields(value, depth) {
    const keys = Reflect.ownKeys(value).filter((key) => Object.prototype.propertyIsEnumerable.call(value, key));
    const field = (key) => `${keyText(key)}: ${this.#field(value, key, depth)}`;
    return this.#list("{}", keys, field, keys.length);
  }

  #field(value, key, depth) {
    return attempted(() => this.any(value[key], depth)) ?? "[Throws]";
  }

  #error(error, depth) {
    const lines = [traceOf(error)];
    const extra = Object.keys(error).filter((key) => !["name", "message", "stack", "cause", "errors"].includes(key));
    if (extra.length > 0) lines[0] += ` ${this.#list("{}", extra, (key) => `${keyText(key)}: ${this.any(error[key], depth)}`)}`;
    if (error.cause !== undefined) lines.push(`caused by ${this.any(error.cause, depth)}`);
    for (const each of error.errors ?? []) lines.push(`one is ${this.any(each, depth)}`);
    return lines.join("\n");
  }

  /** Items between brackets, until there are too many of them. */
  #list([open, close], items, show, size = items.size ?? items.length) {
    const texts = [];
    for (const item of items) {
      if (texts.length === ITEMS || this.#left <= 0) break;
      texts.push(show(item));
    }
    if (texts.length < size) texts.push(`... ${size - texts.length} more`);
    return texts.length === 0 ? open + close : `${open} ${texts.join(", ")} ${close}`;
  }
}

let readStack = (stack) => stack;

/** Has stacks read in another way than the engine writes them. */
export function readStacksBy(read) {
  readStack = read;
}

/** `TypeError: message` and where it was thrown: not every engine puts the first into the stack. */
export function traceOf(error) {
  const head = error.message ? `${error.name}: ${error.message}` : String(error.name);
  const stack = typeof error.stack === "string" ? readStack(error.stack).trimEnd() : "";
  if (stack === "") return head;
  return stack.startsWith(head) ? stack : `${head}\n${stack}`;
}

function quoted(text) {
  const cut = text.length > CHARACTERS ? `${text.slice(0, CHARACTERS)}...` : text;
  const escaped = cut.replace(/[\\'\n\r\t]/g, (c) => ({ "\n": "\\n", "\r": "\\r", "\t": "\\t" })[c] ?? `\\${c}`);
  return `'${escaped}'`;
}

function keyText(key) {
  if (typeof key === "symbol") return `[${String(key)}]`;
  return /^[A-Za-z_$][\w$]*$/.test(key) ? key : quoted(key);
}

/** `undefined` for an object that inherits nothing. */
function className(value) {
  return attempted(() => value.constructor?.name) || undefined;
}

function isBoxed(value) {
  return value instanceof Number || value instanceof String || value instanceof Boolean;
}

/** A getter of an author's object may throw: the log goes on. */
function attempted(read) {
  try {
    return read();
  } catch {
    return undefined;
  }
}
