"""How what an author has at hand becomes what the gateway takes, and comes back.

What the gateway does not take would end a call as a trap, which says nothing. So all that goes out passes through here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal

Duration = float | timedelta
"""Seconds, or a `timedelta`."""

Type = Literal["text", "integer", "number", "boolean", "json"]
"""What a setting can be."""

TYPES = ("text", "integer", "number", "boolean", "json")


def as_text(value: str) -> str:
    """Text that can be written as UTF-8. Halves of surrogate pairs, which JSON can bring, are spelled out."""
    if not isinstance(value, str):
        raise TypeError(f"this is not text: {value!r:.100}")
    return value.encode(errors="backslashreplace").decode()


def as_texts(value: Mapping[str, str]) -> dict[str, str]:
    """Names and what stands under them."""
    return {as_text(name): as_text(text) for name, text in value.items()}


def as_bytes(value: Any) -> bytes:
    """Bytes as they are, text as UTF-8, anything else as JSON."""
    if is_bytes(value):
        return bytes(value)
    return (value if isinstance(value, str) else json.dumps(value)).encode()


def is_bytes(value: Any) -> bool:
    """Whether it is bytes already."""
    return isinstance(value, (bytes, bytearray, memoryview))


def read_json(value: bytes | str) -> Any:
    """What is JSON. Anything else is a `ValueError`, however deep it goes."""
    try:
        return json.loads(value)
    except RecursionError as error:
        raise ValueError("it goes too deep") from error


def as_timedelta(duration: Duration) -> timedelta:
    """Seconds as what they are."""
    return duration if isinstance(duration, timedelta) else timedelta(seconds=duration)


def as_milliseconds(duration: Duration | None) -> int | None:
    """Whole milliseconds, rounded up."""
    return None if duration is None else max(0, -(-as_timedelta(duration) // timedelta(milliseconds=1)))


def as_setting(value: Any) -> str:
    """The text that the gateway gives for a setting: text as it is, anything else as TOML or JSON writes it."""
    return value if isinstance(value, str) else json.dumps(value)


def read_setting(type: str, text: str) -> Any:
    """The value of a setting of a type. A text that does not fit is a `ValueError`."""
    if type == "integer":
        return int(text)
    if type == "number":
        return float(text)
    if type == "json":
        return read_json(text)
    if type == "boolean":
        if text not in ("true", "false"):
            raise ValueError(f"neither true nor false: {text!r}")
        return text == "true"
    return text
