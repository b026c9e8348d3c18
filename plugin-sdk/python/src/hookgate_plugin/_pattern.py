"""Which handler an event is for. The gateway reads patterns in the same way when it decides which plugin gets it."""

from __future__ import annotations

from string import ascii_lowercase, digits

_NAME = frozenset(ascii_lowercase + digits + "-_")
_PATTERN_BYTES = 256


def matches(pattern: str, source: str, provider: str, event_type: str) -> bool:
    """Whether `type-pattern` or `source:type-pattern` means this event."""
    if not names_source(pattern):
        return glob(pattern, event_type)
    left, _, rest = pattern.partition(":")
    return left in (source, provider) and glob(rest, event_type)


def names_source(pattern: str) -> bool:
    """Whether a pattern begins with a source or a provider. Some senders have colons in their types too, but not after a name."""
    left, colon, _ = pattern.partition(":")
    return bool(colon) and is_name(left)


def mistake(pattern: str) -> str | None:
    """Why the gateway would refuse a pattern, said while the author still looks at it."""
    left, colon, rest = pattern.partition(":")
    if not pattern:
        return "a pattern is not empty: for every event write `*`"
    if any(c.isspace() or not c.isprintable() for c in pattern):
        return "a pattern has no whitespace and no control characters"
    if len(pattern.encode(errors="replace")) > _PATTERN_BYTES:
        return f"a pattern has at most {_PATTERN_BYTES} bytes"
    if colon and not left:
        return "before the colon stands the name of a source or of a provider: `github:push`"
    if colon and not rest:
        return "after the colon stands the type of an event: `github:push` or `github:*`"
    return None


def is_name(text: str) -> bool:
    """Whether a text can be the name of a source, a provider or a plugin."""
    return 1 <= len(text) <= 64 and text[0] not in "-_" and _NAME.issuperset(text)


def glob(pattern: str, text: str) -> bool:
    """Whether a text is what a pattern says, where `*` stands for any characters."""
    start, *middle = pattern.split("*")
    if not middle:
        return pattern == text
    end = middle.pop()
    if len(text) < len(start) + len(end) or not (text.startswith(start) and text.endswith(end)):
        return False
    at, stop = len(start), len(text) - len(end)
    # The first place for each piece is the best one.
    for piece in middle:
        at = text.find(piece, at, stop)
        if at < 0:
            return False
        at += len(piece)
    return True
