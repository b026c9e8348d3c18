// TextEncoder and TextDecoder for UTF-8, made of what QuickJS has: its own functions do the work, since a loop over
// the bytes takes a hundred times as long.

const CHUNK = 8192;
const UTF8 = new Set(["utf-8", "utf8", "unicode-1-1-utf-8"]);

export class TextEncoder {
  get encoding() {
    return "utf-8";
  }

  encode(text = "") {
    return asBytes(unescape(encodeURIComponent(String(text).toWellFormed())));
  }

  encodeInto(text, target) {
    let read = 0;
    let written = 0;
    for (const character of String(text)) {
      const bytes = this.encode(character);
      if (written + bytes.length > target.length) break;
      target.set(bytes, written);
      read += character.length;
      written += bytes.length;
    }
    return { read, written };
  }
}

export class TextDecoder {
  #rest = new Uint8Array(0);
  #begun = false;

  constructor(encoding = "utf-8", { fatal = false, ignoreBOM = false } = {}) {
    if (!UTF8.has(String(encoding).trim().toLowerCase())) {
      throw new RangeError(`this TextDecoder knows no encoding but UTF-8: \`${encoding}\``);
    }
    this.fatal = Boolean(fatal);
    this.ignoreBOM = Boolean(ignoreBOM);
  }

  get encoding() {
    return "utf-8";
  }

  decode(input, { stream = false } = {}) {
    let bytes = joined(this.#rest, bytesOf(input));
    const keep = stream ? unfinished(bytes) : 0;
    this.#rest = bytes.slice(bytes.length - keep);
    bytes = bytes.subarray(0, bytes.length - keep);
    const text = this.fatal ? strictly(bytes) : leniently(bytes);
    const begins = !this.#begun;
    this.#begun = stream && (this.#begun || bytes.length > 0);
    return begins && !this.ignoreBOM && text.startsWith("\ufeff") ? text.slice(1) : text;
  }
}

function bytesOf(input) {
  if (input === undefined) return new Uint8Array(0);
  if (input instanceof ArrayBuffer || input instanceof SharedArrayBuffer) return new Uint8Array(input);
  if (ArrayBuffer.isView(input)) return new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
  throw new TypeError("a TextDecoder takes bytes");
}

function joined(first, second) {
  if (first.length === 0) return second;
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

function strictly(bytes) {
  const latin1 = asLatin1(bytes);
  if (!/[^\0-\x7f]/.test(latin1)) return latin1;
  try {
    return decodeURIComponent(escape(latin1));
  } catch {
    throw new TypeError("the bytes are not UTF-8");
  }
}

/** One byte a character. */
function asBytes(latin1) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(btoa(latin1));
  const bytes = new Uint8Array(latin1.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = latin1.charCodeAt(at);
  return bytes;
}

/** One character a byte. */
function asLatin1(bytes) {
  if (bytes.toBase64) return atob(bytes.toBase64());
  let text = "";
  for (let at = 0; at < bytes.length; at += CHUNK) {
    text += String.fromCharCode.apply(null, bytes.subarray(at, at + CHUNK));
  }
  return text;
}

function leniently(bytes) {
  try {
    return strictly(bytes);
  } catch {
    return withReplacements(bytes);
  }
}

/** Puts U+FFFD where there is no character, as the standard counts them. */
function withReplacements(bytes) {
  let text = "";
  let from = 0;
  for (let at = 0; at < bytes.length; ) {
    const { length, whole } = character(bytes, at);
    if (!whole) {
      text += `${strictly(bytes.subarray(from, at))}\ufffd`;
      from = at + length;
    }
    at += length;
  }
  return text + strictly(bytes.subarray(from));
}

/** How many bytes from here belong together, and whether they are a character. */
function character(bytes, at) {
  const first = bytes[at];
  if (first < 0x80) return { length: 1, whole: true };
  const size = sizeFrom(first);
  if (size === 0) return { length: 1, whole: false };
  let [low, high] = secondAfter(first);
  for (let length = 1; length < size; length++) {
    const byte = bytes[at + length];
    if (!(byte >= low && byte <= high)) return { length, whole: false };
    [low, high] = [0x80, 0xbf];
  }
  return { length: size, whole: true };
}

/** How many bytes a character has that begins with this one; 0 where none does. */
function sizeFrom(first) {
  if (first >= 0xc2 && first <= 0xdf) return 2;
  if (first >= 0xe0 && first <= 0xef) return 3;
  if (first >= 0xf0 && first <= 0xf4) return 4;
  return 0;
}

/** What may follow: neither longer forms than needed, nor surrogates, nor what is beyond Unicode. */
function secondAfter(first) {
  if (first === 0xe0) return [0xa0, 0xbf];
  if (first === 0xed) return [0x80, 0x9f];
  if (first === 0xf0) return [0x90, 0xbf];
  if (first === 0xf4) return [0x80, 0x8f];
  return [0x80, 0xbf];
}

/** How many bytes at the end may be the beginning of a character. */
function unfinished(bytes) {
  for (let count = 1; count <= Math.min(3, bytes.length); count++) {
    const at = bytes.length - count;
    if (sizeFrom(bytes[at]) <= count) continue;
    const { length } = character(bytes, at);
    return length === count ? count : 0;
  }
  return 0;
}
