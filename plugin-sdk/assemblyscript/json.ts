// Looks one value up in a body that is JSON. The whole body is checked on the way, and nothing of it is copied but the answer.
// And writes texts as JSON.

import { decode, isUtf8 } from "./utf8";

/** How deep arrays and objects may be in each other. */
const DEPTH = 128;

// The bytes that JSON is made of.
const QUOTE: u32 = 0x22;
const COMMA: u32 = 0x2c;
const MINUS: u32 = 0x2d;
const DOT: u32 = 0x2e;
const ZERO: u32 = 0x30;
const NINE: u32 = 0x39;
const COLON: u32 = 0x3a;
const ARRAY: u32 = 0x5b;
const BACKSLASH: u32 = 0x5c;
const ARRAY_END: u32 = 0x5d;
const OBJECT: u32 = 0x7b;
const OBJECT_END: u32 = 0x7d;
/** What stands for the end of the body. */
const END: u32 = 0;

/** Where a value stands. */
export class Found {
  constructor(
    private at: usize,
    private end: usize,
  ) {}

  /** Strings as they are, all others as they are written; `null` for `null` and for nothing. */
  text(): string | null {
    if (this.at == this.end) return null;
    const first = load<u8>(this.at);
    if (first == QUOTE) return unescape(this.at + 1, this.end - 1);
    return first == 0x6e ? null : decode(this.at, this.end - this.at); // n
  }

  /** A number; `NaN` for all others and for nothing. */
  number(): f64 {
    if (this.at == this.end) return NaN;
    const first = load<u8>(this.at);
    return first == MINUS || isDigit(first) ? parseFloat(decode(this.at, this.end - this.at)) : NaN;
  }
}

/** Finds what a pointer such as `/data/tags/0` points at; nothing, if the body is no JSON. */
export function find(at: usize, bytes: usize, pointer: string): Found {
  const nothing = new Found(0, 0);
  if (!isUtf8(at, bytes) || (pointer != "" && !pointer.startsWith("/"))) return nothing;
  const path = pointer == "" ? new Array<string>() : pointer.substring(1).split("/");
  for (let i = 0; i < path.length; i++) path[i] = path[i].replaceAll("~1", "/").replaceAll("~0", "~");
  const search = new Search(at, at + bytes, path);
  return search.all() ? new Found(search.foundAt, search.foundEnd) : nothing;
}

/** One way through a body. Each step gives whether what it passed is JSON. */
class Search {
  foundAt: usize = 0;
  foundEnd: usize = 0;

  constructor(
    private at: usize,
    private end: usize,
    private path: string[],
  ) {}

  all(): bool {
    this.space();
    if (!this.value(0, 0)) return false;
    this.space();
    return this.at == this.end;
  }

  /** Passes a value. `step` says how much of the path has led to it; -1 is beside the path. */
  private value(step: i32, depth: i32): bool {
    const at = this.at;
    const isGoal = step == this.path.length;
    if (!this.anything(isGoal ? -1 : step, depth)) return false;
    if (isGoal) {
      this.foundAt = at;
      this.foundEnd = this.at;
    }
    return true;
  }

  private anything(step: i32, depth: i32): bool {
    const first = this.peek();
    if (first == QUOTE) return this.string();
    if (first == OBJECT) return depth < DEPTH && this.object(step, depth + 1);
    if (first == ARRAY) return depth < DEPTH && this.array(step, depth + 1);
    if (first == 0x74) return this.word(0x65757274, 4); // true
    if (first == 0x6e) return this.word(0x6c6c756e, 4); // null
    if (first == 0x66) return this.word(0x736c6166, 4) && this.take(0x65); // fals, e
    return this.numeral();
  }

  private object(step: i32, depth: i32): bool {
    this.at++;
    this.space();
    if (this.take(OBJECT_END)) return true;
    do {
      this.space();
      const at = this.at;
      if (!this.string()) return false;
      const leads = step >= 0 && unescape(at + 1, this.at - 1) == this.path[step];
      this.space();
      if (!this.take(COLON)) return false;
      // Where a name stands twice, the last one counts.
      if (leads) this.foundAt = this.foundEnd = 0;
      if (!this.element(leads ? step + 1 : -1, depth)) return false;
    } while (this.take(COMMA));
    return this.take(OBJECT_END);
  }

  private array(step: i32, depth: i32): bool {
    this.at++;
    this.space();
    if (this.take(ARRAY_END)) return true;
    let index = 0;
    do {
      const leads = step >= 0 && index.toString() == this.path[step];
      if (!this.element(leads ? step + 1 : -1, depth)) return false;
      index++;
    } while (this.take(COMMA));
    return this.take(ARRAY_END);
  }

  private element(step: i32, depth: i32): bool {
    this.space();
    if (!this.value(step, depth)) return false;
    this.space();
    return true;
  }

  private string(): bool {
    if (!this.take(QUOTE)) return false;
    while (this.at < this.end) {
      const c = load<u8>(this.at++);
      if (c == QUOTE) return true;
      if (c < 0x20) return false;
      if (c == BACKSLASH && !this.escape()) return false;
    }
    return false;
  }

  private escape(): bool {
    const c = this.peek();
    this.at++;
    switch (c) {
      case QUOTE:
      case BACKSLASH:
      case 0x2f: // /
      case 0x62: // b
      case 0x66: // f
      case 0x6e: // n
      case 0x72: // r
      case 0x74: // t
        return true;
      case 0x75: // u
        for (let i = 0; i < 4; i++) {
          if (hex(this.peek()) < 0) return false;
          this.at++;
        }
        return true;
      default:
        return false;
    }
  }

  private numeral(): bool {
    this.take(MINUS);
    if (!this.take(ZERO) && !this.digits()) return false;
    if (this.take(DOT) && !this.digits()) return false;
    if (this.take(0x65) || this.take(0x45)) {
      // e E
      if (!this.take(0x2b)) this.take(MINUS);
      return this.digits();
    }
    return true;
  }

  private digits(): bool {
    const at = this.at;
    while (isDigit(this.peek())) this.at++;
    return this.at > at;
  }

  /** Passes four letters, given as the number that they make in memory. */
  private word(letters: u32, bytes: usize): bool {
    if (this.at + bytes > this.end || load<u32>(this.at) != letters) return false;
    this.at += bytes;
    return true;
  }

  private space(): void {
    for (let c = this.peek(); c == 0x20 || (c >= 0x09 && c <= 0x0d && c != 0x0b && c != 0x0c); c = this.peek()) this.at++;
  }

  private take(c: u32): bool {
    if (this.peek() != c) return false;
    this.at++;
    return true;
  }

  private peek(): u32 {
    return this.at < this.end ? <u32>load<u8>(this.at) : END;
  }
}

/** The text of a JSON string, of which everything between its quotes is given. */
function unescape(at: usize, end: usize): string {
  // No byte becomes more than one UTF-16 unit.
  const units = heap.alloc((end - at) << 1);
  let to = units;
  while (at < end) {
    const run = at;
    while (at < end && load<u8>(at) != BACKSLASH) at++;
    if (at > run) {
      const plain = decode(run, at - run);
      memory.copy(to, changetype<usize>(plain), plain.length << 1);
      to += plain.length << 1;
    }
    if (at == end) break;
    const c: u32 = load<u8>(at + 1);
    store<u16>(to, c == 0x75 ? hexUnit(at + 2) : escaped(c));
    to += 2;
    at += c == 0x75 ? 6 : 2;
  }
  const text = String.UTF16.decodeUnsafe(units, to - units);
  heap.free(units);
  return text;
}

/** A text as JSON writes it, quotes and all. */
export function quote(text: string): string {
  // No unit becomes more than six.
  const units = heap.alloc(text.length * 12 + 4);
  store<u16>(units, QUOTE);
  let to = units + 2;
  for (let i = 0; i < text.length; i++) {
    const c: u32 = text.charCodeAt(i);
    if (c < 0x20) {
      store<u64>(to, 0x003000300075005c); // \u00
      store<u16>(to, digit(c >> 4), 8);
      store<u16>(to, digit(c & 15), 10);
      to += 12;
      continue;
    }
    if (c == QUOTE || c == BACKSLASH) {
      store<u16>(to, BACKSLASH);
      to += 2;
    }
    store<u16>(to, c);
    to += 2;
  }
  store<u16>(to, QUOTE);
  const quoted = String.UTF16.decodeUnsafe(units, to + 2 - units);
  heap.free(units);
  return quoted;
}

/** A hexadecimal digit. */
function digit(value: u32): u32 {
  return value < 10 ? ZERO + value : 0x61 + value - 10;
}

/** The UTF-16 unit that four digits count. */
function hexUnit(at: usize): i32 {
  return (hex(load<u8>(at)) << 12) | (hex(load<u8>(at + 1)) << 8) | (hex(load<u8>(at + 2)) << 4) | hex(load<u8>(at + 3));
}

/** The UTF-16 unit that a letter after a backslash stands for. */
function escaped(c: u32): i32 {
  switch (c) {
    case 0x62: return 0x08;
    case 0x66: return 0x0c;
    case 0x6e: return 0x0a;
    case 0x72: return 0x0d;
    case 0x74: return 0x09;
    default: return c;
  }
}

/** What a digit of a hexadecimal number counts, or -1. */
function hex(c: u32): i32 {
  if (isDigit(c)) return c - ZERO;
  const lower = c | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : -1;
}

function isDigit(c: u32): bool {
  return c >= ZERO && c <= NINE;
}
