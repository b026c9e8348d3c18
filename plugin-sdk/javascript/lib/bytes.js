// How what an author has at hand becomes bytes, and how bytes are read.

/** Bytes as they are, text as UTF-8, anything else as JSON. `what` names it where it is none of them. */
export function bytesOf(value, what) {
  const bytes = rawOf(value);
  if (bytes !== undefined) return bytes;
  const json = JSON.stringify(value);
  if (json === undefined) throw new TypeError(`${what} is neither bytes nor text, and cannot be written as JSON`);
  return encode(json);
}

/** Bytes and text as bytes; undefined for anything else. */
export function rawOf(value) {
  if (typeof value === "string") return encode(value);
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  return undefined;
}

// Made anew each time: the first module that imports this one is there before the engine has these.
function encode(text) {
  return new TextEncoder().encode(text);
}

/** Bytes as text, or the error that `mistaken` makes where they are none. */
export function textOf(bytes, mistaken) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw mistaken();
  }
}
