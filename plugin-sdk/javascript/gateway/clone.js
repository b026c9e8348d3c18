// structuredClone, for the values that a plugin has.

/** A deep copy, in which what was one object is one object again. */
export function structuredClone(value) {
  return copyOf(value, new Map());
}

function copyOf(value, known) {
  if (typeof value === "function" || typeof value === "symbol") throw cannot(value);
  if (typeof value !== "object" || value === null) return value;
  if (known.has(value)) return known.get(value);
  const copy = shell(value, known);
  known.set(value, copy);
  fill(copy, value, known);
  return copy;
}

/** The copy without what is in it, so that what is in it can refer to it. */
function shell(value, known) {
  if (Array.isArray(value)) return new Array(value.length);
  if (value instanceof Date) return new Date(value.getTime());
  if (value instanceof RegExp) return new RegExp(value.source, value.flags);
  if (value instanceof Map) return new Map();
  if (value instanceof Set) return new Set();
  if (value instanceof ArrayBuffer) return value.slice(0);
  if (ArrayBuffer.isView(value)) return viewOf(value, known);
  if (value instanceof Error) return errorOf(value);
  if (value instanceof Boolean || value instanceof Number || value instanceof String) return Object(value.valueOf());
  if (value instanceof Promise || value instanceof WeakMap || value instanceof WeakSet || value instanceof WeakRef) throw cannot(value);
  return {};
}

function viewOf(view, known) {
  const length = view instanceof DataView ? view.byteLength : view.length;
  return new view.constructor(copyOf(view.buffer, known), view.byteOffset, length);
}

const errors = { EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };

function errorOf(error) {
  const copy = new (errors[error.name] ?? Error)(error.message);
  Object.defineProperty(copy, "stack", { value: error.stack, writable: true, configurable: true });
  return copy;
}

function fill(copy, value, known) {
  if (value instanceof Map) {
    for (const [key, item] of value) copy.set(copyOf(key, known), copyOf(item, known));
  } else if (value instanceof Set) {
    for (const item of value) copy.add(copyOf(item, known));
  } else if (value instanceof Error) {
    if ("cause" in value) copy.cause = copyOf(value.cause, known);
  } else if (Array.isArray(value) || isOpen(copy)) {
    for (const key of Object.keys(value)) define(copy, key, copyOf(value[key], known));
  }
}

/** Whether it is an object of an author's making. */
function isOpen(copy) {
  return Object.getPrototypeOf(copy) === Object.prototype;
}

/** Unlike an assignment, this makes a property even of `__proto__`. */
function define(copy, key, value) {
  Object.defineProperty(copy, key, { value, writable: true, enumerable: true, configurable: true });
}

function cannot(value) {
  return new DOMException(`${typeof value === "object" ? "such an object" : String(value)} cannot be cloned`, "DataCloneError");
}
