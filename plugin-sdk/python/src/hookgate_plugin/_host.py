"""What the gateway offers to a plugin, and what stands in for it in a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from . import _values
from ._failure import PowerError

if TYPE_CHECKING:
    from ._ask import Ask
    from .http import Request, Response


class Powers(Protocol):
    """What a plugin may do beyond handling an event, as `plugin.wit` has it."""

    def get(self, key: str) -> bytes | None: ...
    def set(self, key: str, value: bytes, keep_ms: int | None) -> None: ...
    def delete(self, key: str) -> None: ...
    def keys(self, prefix: str, after: str | None, limit: int) -> list[str]: ...
    def increment(self, key: str, by: int) -> int: ...
    def compare_and_set(self, key: str, expected: bytes | None, value: bytes, keep_ms: int | None) -> bool: ...
    def send(self, request: Request) -> Response: ...
    def emit(self, type: str, payload: bytes, attributes: Mapping[str, str]) -> None: ...


# The settings that plugins asked for, for tests that call a handler as the function that it is.
asked: dict[str, Ask] = {}

# What a test granted.
granted: Mapping[str, str] = {}


def _granted_or_default(key: str) -> str | None:
    value = granted.get(key)
    return asked[key].detail.get("default") if value is None and key in asked else value


def _nobodys() -> Powers:
    raise PowerError("denied", "there is no gateway here: a test calls the handler with `testing.run`")


# In the gateway, the gateway's own.
read_setting: Callable[[str], str | None] = _granted_or_default
powers: Callable[[], Powers] = _nobodys


def setting(key: str) -> Any:
    """What the operator granted under `[plugins.<name>] settings`, or the default that the plugin gave.

    Ask for it with `app.setting(key, ...)` first. Without a `type` there, strings come as they are, numbers and booleans
    as the text that TOML has for them, arrays and tables as JSON. With one, it is an `int`, a `float`, a `bool`, or
    whatever the JSON says.
    """
    value = read_setting(key)
    if value is None:
        raise LookupError(f"the setting {key!r} is neither granted nor has it a default")
    type = asked[key].detail.get("type", "text") if key in asked else "text"
    try:
        return _values.read_setting(type, value)
    except ValueError as error:
        raise ValueError(f"the setting {key!r} is no {type}: {error}") from None
