// Which handler an event is for. The gateway reads patterns in the same way when it decides which plugin gets it.

import { Event } from "./event";

/** Whether one of these patterns means this event. */
export function matchesAny(patterns: string[], event: Event): bool {
  for (let i = 0; i < patterns.length; i++) {
    if (matches(patterns[i], event)) return true;
  }
  return false;
}

/** Whether `type-pattern` or `source:type-pattern` means this event. */
export function matches(pattern: string, event: Event): bool {
  const colon = pattern.indexOf(":");
  // Some senders have colons in their types: only a name may stand on the left.
  if (colon > 0 && isName(pattern, colon)) {
    const from = pattern.substring(0, colon);
    return (from == event.source || from == event.provider) && glob(pattern.substring(colon + 1), event.type);
  }
  return glob(pattern, event.type);
}

/** Whether the beginning of a text can be the name of a source or a provider. */
function isName(text: string, end: i32): bool {
  for (let i = 0; i < end; i++) {
    const c = text.charCodeAt(i);
    const isLetter = c >= 0x61 && c <= 0x7a;
    const isDigit = c >= 0x30 && c <= 0x39;
    const isMark = c == 0x2d || c == 0x5f; // - _
    if (!isLetter && !isDigit && !(isMark && i > 0)) return false;
  }
  return true;
}

/** Whether a text is what a pattern says, where `*` stands for any characters. */
function glob(pattern: string, text: string): bool {
  const first = pattern.indexOf("*");
  if (first < 0) return pattern == text;
  const last = pattern.lastIndexOf("*");
  const end = text.length - (pattern.length - last - 1);
  if (end < first || !text.startsWith(pattern.substring(0, first))) return false;
  if (!text.endsWith(pattern.substring(last + 1))) return false;
  // What stands between stars comes one after the other. The first place for each is the best one.
  let at = first;
  const pieces = pattern.substring(first, last).split("*");
  for (let i = 0; i < pieces.length; i++) {
    const found = text.indexOf(pieces[i], at);
    if (found < 0 || found + pieces[i].length > end) return false;
    at = found + pieces[i].length;
  }
  return true;
}
