"""What the operator is asked to grant. What the gateway would refuse is told while the author still looks at it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from . import _pattern
from ._values import TYPES, Type, as_setting, read_setting

Credential = Literal["bearer", "basic", "header"]
"""How the gateway adds the operator's secret to a request."""

_CREDENTIALS = ("bearer", "basic", "header")
_HOST = re.compile(r"\*|(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_METHOD = re.compile(r"[A-Z]+")


@dataclass(frozen=True)
class Ask:
    """One thing that the operator is asked to grant."""

    what: str
    """`setting`, `host`, `state`, `emit` or `reply`."""
    name: str
    """Which one. There is only one state, and it has no name."""
    detail: Mapping[str, str]
    """More about it. What is not said is left out."""


def ask_for_setting(key: str, default: Any, about: str, type: Type | None) -> Ask:
    """A setting, with the text that stands for its default."""
    if not key or any(c.isspace() for c in key):
        raise ValueError(f"{key!r}: the key of a setting is not empty and has no whitespace")
    if type not in (None, *TYPES):
        raise ValueError(f"{type!r}: the type of a setting is one of {', '.join(TYPES)}")
    if default is None:
        return Ask("setting", key, _said(about=about, type=type))
    if type in (None, "text") and not isinstance(default, str):
        raise TypeError(f"the default of {key!r} is not text")
    text = as_setting(default)
    try:
        read_setting(type or "text", text)
    except ValueError as error:
        raise ValueError(f"the default of {key!r} is no {type}: {error}") from error
    return Ask("setting", key, {**_said(about=about, type=type), "default": text})


def ask_for_host(
    name: str, about: str, methods: str | Iterable[str], credential: Credential | None, optional: bool
) -> Ask:
    """A host that requests go to."""
    if not _HOST.fullmatch(name):
        raise ValueError(
            f"{name!r}: a host is a name in lower case and no more: `api.example.com`, `*.example.com`, `*`"
        )
    if credential not in (None, *_CREDENTIALS):
        raise ValueError(f"{credential!r}: a credential is one of {', '.join(_CREDENTIALS)}")
    methods = methods.split() if isinstance(methods, str) else list(methods)
    for method in methods:
        if not _METHOD.fullmatch(method):
            raise ValueError(f"{method!r}: a method is in capital letters: `GET`")
    said = _said(about=about, methods=" ".join(methods), credential=credential, optional=_flag(optional))
    return Ask("host", name, said)


def ask_for_state(about: str, optional: bool) -> Ask:
    """A memory of its own."""
    return Ask("state", "", _said(about=about, optional=_flag(optional)))


def ask_to_emit(pattern: str, about: str, optional: bool) -> Ask:
    """Events of its own, of the types that a pattern matches."""
    if _pattern.names_source(pattern):
        raise ValueError(f"{pattern!r}: the source of what a plugin emits is the plugin, so name the type alone")
    return Ask("emit", _sound(pattern), _said(about=about, optional=_flag(optional)))


def ask_to_reply(pattern: str) -> Ask:
    """To answer whoever sent what a subscription matches."""
    return Ask("reply", _sound(pattern), {})


def _sound(pattern: str) -> str:
    why = _pattern.mistake(pattern)
    if why:
        raise ValueError(f"{pattern!r}: {why}")
    return pattern


def _flag(optional: bool) -> str | None:
    return "true" if optional else None


def _said(**details: str | None) -> dict[str, str]:
    return {name: value for name, value in details.items() if value}
