"""What a plugin remembers from one event to the next: bytes under keys, its own alone.

    from hookgate_plugin import state

    if state.increment("seen") == 100:
        logging.info("a hundred events")

Ask for it first: `app.uses_state()`. What a call writes is kept if the handler returns, in the same commit that says so,
and forgotten if it raises. A call sees what it wrote itself. It is as if the calls that write or emit
had run one after another.

A value is bytes, or text, which is kept as UTF-8, or anything that can be written as JSON.
"""

from __future__ import annotations

from operator import index
from typing import Any

from . import _host
from ._failure import PowerError
from ._values import Duration, as_bytes, as_milliseconds, as_text, read_json

# How many keys come at once, and how many numbers there are on each side of 0.
_KEYS = 1000
_NUMBERS = 1 << 63


def get(key: str) -> bytes | None:
    """The value of a key, or `None` if it is not there."""
    return _host.powers().get(as_text(key))


def get_text(key: str) -> str | None:
    """The value of a key as text. One that is not UTF-8 is a `ValueError`."""
    value = get(key)
    return None if value is None else value.decode()


def get_json(key: str) -> Any:
    """The value of a key, read as JSON, or `None` if it is not there. One that is not JSON is a `ValueError`."""
    value = get(key)
    return None if value is None else read_json(value)


def set(key: str, value: Any, *, keep: Duration | None = None) -> None:
    """Sets a key: for good, or for so many seconds, or a `timedelta`, from now."""
    _host.powers().set(as_text(key), _bytes_of(value), as_milliseconds(keep))


def delete(key: str) -> None:
    """Removes a key, whether it is there or not."""
    _host.powers().delete(as_text(key))


def keys(prefix: str = "", *, after: str | None = None, limit: int = 1000) -> list[str]:
    """The keys that begin with a prefix and come after another, in the order of their bytes; at most 1,000."""
    after = None if after is None else as_text(after)
    return _host.powers().keys(as_text(prefix), after, max(0, min(index(limit), _KEYS)))


def increment(key: str, by: int = 1) -> int:
    """Adds to a number, which is kept as decimal text, and gives the sum. A key that is not there counts as 0."""
    if not -_NUMBERS <= index(by) < _NUMBERS:
        raise PowerError("invalid", f"{by} has more than 64 bits")
    return _host.powers().increment(as_text(key), index(by))


def compare_and_set(key: str, expected: Any, value: Any, *, keep: Duration | None = None) -> bool:
    """Sets a key if its value is as expected (`None`: it is not there), and tells whether it was."""
    expected = None if expected is None else as_bytes(expected)
    return _host.powers().compare_and_set(as_text(key), expected, _bytes_of(value), as_milliseconds(keep))


def _bytes_of(value: Any) -> bytes:
    if value is None:
        raise TypeError("`None` is no value: `state.delete(key)` removes a key")
    return as_bytes(value)
