"""The gateway's powers in a test: what a plugin asks for is granted, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from ._app import App
from ._event import Event
from ._failure import PowerError
from ._pattern import glob
from ._values import Duration, as_bytes, as_timedelta
from .http import Request, Response

Http = Callable[[Request], Response] | Mapping[str, Response | PowerError]
"""Who answers requests: a function, or a table such as `{"GET https://api.example.com/v1/things": Response([])}`."""

_TYPE_BYTES = 256
_KEY_BYTES = 512

# What the gateway takes for a number is less than what Python does. 64 bits are 19 digits at most.
_NUMBER = re.compile(rb"[+-]?[0-9]{1,19}")
_NUMBERS = 1 << 63

_Entries = dict[str, tuple[bytes, timedelta | None]]
"""What is kept, and until when."""


class State:
    """What a plugin remembers. Give the same one to several runs, and look at `values` after them."""

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._now = timedelta()
        self._entries: _Entries = {key: (as_bytes(value), None) for key, value in (values or {}).items()}

    @property
    def values(self) -> dict[str, bytes]:
        """All that is there."""
        return {key: value for key, (value, until) in self._entries.items() if until is None or self._now < until}

    def advance(self, duration: Duration) -> None:
        """Lets seconds, or a `timedelta`, go by, so that what was not kept for longer is gone."""
        self._now += as_timedelta(duration)

    def _copy(self) -> State:
        """Another one with the same in it."""
        copy = State()
        copy._now, copy._entries = self._now, dict(self._entries)
        return copy


class Fake:
    """The powers of one call."""

    def __init__(self, app: App, event: Event, state: State, http: Http | None) -> None:
        self._app, self._event, self._http = app, event, http
        self._kept, self._state = state, state._copy()
        self.requests: list[Request] = []
        self.emitted: list[Event] = []

    def settle(self, done: bool) -> None:
        """Keeps what the call wrote and emitted, or forgets it."""
        if done:
            self._kept._entries = self._state._entries
        else:
            self.emitted.clear()

    def get(self, key: str) -> bytes | None:
        self._check(key)
        return self._state.values.get(key)

    def set(self, key: str, value: bytes, keep_ms: int | None) -> None:
        self._check(key)
        until = None if keep_ms is None else self._state._now + timedelta(milliseconds=keep_ms)
        self._state._entries[key] = (value, until)

    def delete(self, key: str) -> None:
        self._check(key)
        self._state._entries.pop(key, None)

    def keys(self, prefix: str, after: str | None, limit: int) -> list[str]:
        self._asked("state", _any, "app.uses_state()")
        # As text is ordered, so are its bytes in UTF-8.
        known = sorted(key for key in self._state.values if key.startswith(prefix) and (after is None or key > after))
        return known[:limit]

    def increment(self, key: str, by: int) -> int:
        value = self.get(key)
        if value is not None and not _NUMBER.fullmatch(value):
            raise PowerError("invalid", f"the value of {key!r} is no number")
        total = int(value or b"0") + by
        if not -_NUMBERS <= total < _NUMBERS:
            raise PowerError("invalid", "the sum is out of range")
        # What was to be kept for a while is kept for no longer.
        until = self._state._entries[key][1] if key in self._state.values else None
        self._state._entries[key] = (str(total).encode(), until)
        return total

    def compare_and_set(self, key: str, expected: bytes | None, value: bytes, keep_ms: int | None) -> bool:
        if self.get(key) != expected:
            return False
        self.set(key, value, keep_ms)
        return True

    def send(self, request: Request) -> Response:
        address = urlsplit(request.url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise PowerError("invalid", f"{request.url!r} is no URL of a host")
        host = address.hostname
        self._asked("host", lambda name: _covers(name, host), f'app.host("{host}")', request.method)
        self.requests.append(request)
        return self._answer(request)

    def emit(self, type: str, payload: bytes, attributes: Mapping[str, str]) -> None:
        if not type or any(c.isspace() for c in type) or len(type.encode()) > _TYPE_BYTES:
            raise PowerError("invalid", f"{type!r} is no type of an event")
        if any(name.startswith("emitted.") for name in attributes):
            raise PowerError("invalid", "attributes that begin with `emitted.` are the gateway's own")
        self._asked("emit", lambda pattern: glob(pattern, type), f'app.emits("{type}")')
        given = (f"evt_{len(self.emitted) + 1:013}", f"plugin:{self._app.name}", "plugin", type)
        self.emitted.append(Event(*given, self._event.received_at_ms, 1, dict(attributes), payload))

    def _check(self, key: str) -> None:
        self._asked("state", _any, "app.uses_state()")
        size = len(key.encode())
        if not 0 < size <= _KEY_BYTES:
            raise PowerError("invalid", f"a key has 1 to {_KEY_BYTES} bytes, and this has {size}")

    def _asked(self, what: str, covers: Callable[[str], bool], advice: str, method: str | None = None) -> None:
        for ask in self._app.asks:
            # One that names no methods leaves them to the operator.
            methods = ask.detail.get("methods", method or "").split()
            if ask.what == what and covers(ask.name) and (method is None or method in methods):
                return
        needed = f" for {method}" if method else ""
        raise PowerError("denied", f"the plugin does not ask for it: {advice}{needed}")

    def _answer(self, request: Request) -> Response:
        if self._http is None:
            raise PowerError("denied", "the test answers no requests: give it `http`")
        if not isinstance(self._http, Mapping):
            return self._http(request)
        answer = self._http.get(f"{request.method} {request.url}")
        if answer is None:
            raise PowerError("failed", f"the test has no answer to {request.method} {request.url}")
        if isinstance(answer, PowerError):
            raise answer
        return answer


def _any(name: str) -> bool:
    return True


def _covers(pattern: str, host: str) -> bool:
    """Whether the host is one that an ask means."""
    return pattern in ("*", host) or (pattern.startswith("*.") and host.endswith(pattern[1:]))
