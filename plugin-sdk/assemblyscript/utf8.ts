// Text, which is UTF-16 here and UTF-8 in the contract.

/** A text as UTF-8. What is half of a character becomes U+FFFD: the gateway takes nothing else. */
export function encode(text: string): ArrayBuffer {
  return String.UTF8.encode(text, false, String.UTF8.ErrorMode.REPLACE);
}

/** The text that these bytes are. They must be UTF-8. */
export function decode(at: usize, bytes: usize): string {
  return String.UTF8.decodeUnsafe(at, bytes);
}

/** Whether these bytes are UTF-8: no stray bytes, no detours, no halves of characters, nothing above U+10FFFF. */
export function isUtf8(at: usize, bytes: usize): bool {
  const end = at + bytes;
  while (at < end) {
    // Most text is ASCII: eight bytes at once.
    if (at + 8 <= end && !(load<u64>(at) & 0x8080808080808080)) {
      at += 8;
      continue;
    }
    const first: u32 = load<u8>(at++);
    if (first < 0x80) continue;
    if (first < 0xc2 || first > 0xf4) return false;
    const more: usize = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    if (at + more > end) return false;
    const second: u32 = load<u8>(at);
    if (second < lowestSecond(first) || second > highestSecond(first)) return false;
    for (let i: usize = 1; i < more; i++) {
      if ((load<u8>(at + i) & 0xc0) != 0x80) return false;
    }
    at += more;
  }
  return true;
}

/** The second byte alone tells a detour (C0 80 in place of 00)... */
function lowestSecond(first: u32): u32 {
  return first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
}

/** ...from half a character, and from what is beyond Unicode. */
function highestSecond(first: u32): u32 {
  return first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
}
