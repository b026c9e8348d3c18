"""The gateway's powers inside the component."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from componentize_py_types import Err  # type: ignore[import-not-found]
from wit_world.imports import events, http, state  # type: ignore[import-not-found]

from ._failure import PowerError
from .http import Request, Response


class Gateway:
    """Asks the gateway, which may say no."""

    def get(self, key: str) -> bytes | None:
        value: bytes | None = _ask(state.get, key)
        return value

    def set(self, key: str, value: bytes, keep_ms: int | None) -> None:
        _ask(state.set, key, value, keep_ms)

    def delete(self, key: str) -> None:
        _ask(state.delete, key)

    def keys(self, prefix: str, after: str | None, limit: int) -> list[str]:
        keys: list[str] = _ask(state.keys, prefix, after, limit)
        return keys

    def increment(self, key: str, by: int) -> int:
        total: int = _ask(state.increment, key, by)
        return total

    def compare_and_set(self, key: str, expected: bytes | None, value: bytes, keep_ms: int | None) -> bool:
        was: bool = _ask(state.compare_and_set, key, expected, value, keep_ms)
        return was

    def send(self, request: Request) -> Response:
        headers = list(request.headers.fields)
        sent = http.Request(request.method, request.url, headers, request.body, request.timeout_ms)
        got = _ask(http.send, sent)
        return Response(got.body, status=got.status, headers=got.headers)

    def emit(self, type: str, payload: bytes, attributes: Mapping[str, str]) -> None:
        _ask(events.emit, type, payload, list(attributes.items()))


def _ask(function: Callable[..., Any], *given: Any) -> Any:
    try:
        return function(*given)
    except Err as error:
        raise PowerError(error.value.kind.name.lower(), error.value.why) from None
