// Which handler an event is for. The gateway reads patterns in the same way when it decides which plugin gets it.

/** Whether `type-pattern` or `source:type-pattern` means this event. */
export function matches(pattern, event) {
  // Some senders have colons in their types: only a name may stand on the left.
  const named = /^([a-z0-9][a-z0-9_-]*):(.*)$/s.exec(pattern);
  if (!named) return glob(pattern, event.type);
  const [, from, rest] = named;
  return (from === event.source || from === event.provider) && glob(rest, event.type);
}

/** Whether a text is what a pattern says, where `*` stands for any characters. */
function glob(pattern, text) {
  const pieces = pattern.split("*");
  if (pieces.length === 1) return pattern === text;
  const start = pieces.shift();
  const end = pieces.pop();
  if (text.length < start.length + end.length || !text.startsWith(start) || !text.endsWith(end)) return false;
  return holdInOrder(pieces, text.slice(start.length, text.length - end.length));
}

/** Whether the pieces occur in a text one after the other. The first place for each is the best one. */
function holdInOrder(pieces, text) {
  let from = 0;
  for (const piece of pieces) {
    const at = text.indexOf(piece, from);
    if (at < 0) return false;
    from = at + piece.length;
  }
  return true;
}
