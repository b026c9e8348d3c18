"""What the gateway offers to a plugin, and what stands in for it in a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping

# What plugins declared, for tests that call a handler as the function that it is.
defaults: dict[str, str] = {}

# What a test granted.
granted: Mapping[str, str] = {}


def _granted_or_default(key: str) -> str | None:
    value = granted.get(key)
    return defaults.get(key) if value is None else value


# In the gateway, the gateway's own.
read_setting: Callable[[str], str | None] = _granted_or_default


def setting(key: str) -> str:
    """What the operator granted under `[plugins.<name>] settings`, or the default that the plugin gave.

    Strings come as they are, numbers and booleans as TOML writes them, arrays and tables as JSON. Ask for it with
    `app.setting(key, ...)` first.
    """
    value = read_setting(key)
    if value is None:
        raise LookupError(f"the setting {key!r} is neither granted nor has it a default")
    return value
