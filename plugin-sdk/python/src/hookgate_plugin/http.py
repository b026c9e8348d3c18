"""Requests to hosts that the operator granted.

    from hookgate_plugin import http

    answer = http.send("POST", "https://api.example.com/v1/things", json={"name": "one"})
    if not answer.ok:
        raise Retry(f"no thing was made: {answer.status}")

Ask for the host first: `app.host("api.example.com", methods=["POST"], credential="bearer")`. The gateway adds the
operator's secret on the way out: the plugin never holds it. Nothing else reaches the network, so `urllib` and `socket` do
not work in a plugin.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from json import dumps
from operator import index
from typing import Any

from . import _host
from ._values import Duration, as_bytes, as_milliseconds, as_text, is_bytes, read_json

Fields = Mapping[str, str] | Iterable[tuple[str, str]]
"""Headers as they can be given: names and values, or pairs where a name comes more than once."""

_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"


class Headers(Mapping[str, str]):
    """Headers by name, in whatever case. One that came more than once is joined with commas."""

    def __init__(self, fields: Fields = ()) -> None:
        pairs = fields.fields if isinstance(fields, Headers) else fields
        pairs = pairs.items() if isinstance(pairs, Mapping) else pairs
        self.fields: tuple[tuple[str, str], ...] = tuple((as_text(name), as_text(value)) for name, value in pairs)
        """Each one as it was written, in order."""

    def all(self, name: str) -> list[str]:
        """The value of each header of a name, for those with commas of their own: `set-cookie`."""
        return [value for known, value in self.fields if known.lower() == name.lower()]

    def __getitem__(self, name: str) -> str:
        values = self.all(name)
        if not values:
            raise KeyError(name)
        return ", ".join(values)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name.lower() for name, _ in self.fields))

    def __len__(self) -> int:
        return len({name.lower() for name, _ in self.fields})

    def __repr__(self) -> str:
        return f"Headers({list(self.fields)!r})"


class _Message:
    """What has a body."""

    body: bytes

    @property
    def text(self) -> str:
        """The body as text. What is not UTF-8 in it is replaced."""
        return self.body.decode(errors="replace")

    def json(self) -> Any:
        """The body, read as JSON. One that is not JSON is a `ValueError`."""
        return read_json(self.body)


@dataclass(frozen=True)
class Request(_Message):
    """What is sent: a test gets to see it."""

    method: str
    url: str
    headers: Headers
    body: bytes = field(repr=False)
    timeout_ms: int | None


@dataclass(frozen=True, init=False)
class Response(_Message):
    """What came back, and what a responder gives."""

    status: int
    headers: Headers
    body: bytes = field(repr=False)

    def __init__(self, body: Any = b"", *, status: int = 200, headers: Fields = ()) -> None:
        """Bytes are sent as they are, text as UTF-8, anything else as JSON, with the content type of the last two."""
        if not 100 <= index(status) <= 999:
            raise ValueError(f"there is no status {status}")
        content_type = _TEXT if isinstance(body, str) else None if is_bytes(body) else _JSON
        object.__setattr__(self, "status", index(status))
        object.__setattr__(self, "headers", _with(content_type, headers))
        object.__setattr__(self, "body", as_bytes(body))

    @property
    def ok(self) -> bool:
        """Whether it went well: a status from 200 to 299."""
        return 200 <= self.status < 300


def send(
    method: str,
    url: str,
    *,
    headers: Fields = (),
    body: bytes | str = b"",
    json: Any = None,
    timeout: Duration | None = None,
) -> Response:
    """Sends a request and waits for all of the answer, whatever its status. Redirects are answers and not followed.

    `json` is a body that is written as JSON. `timeout`, in seconds or as a `timedelta`, is for all of it; at most, and
    without one, it is what the operator allows. Where there is no answer, or may be none, it is a `PowerError`.
    """
    if json is not None and body:
        raise TypeError("a request has one body: `body` or `json`")
    fields = _with(None if json is None else _JSON, headers)
    content = as_bytes(body) if json is None else dumps(json).encode()
    request = Request(as_text(method), as_text(url), fields, content, as_milliseconds(timeout))
    return _host.powers().send(request)


def _with(content_type: str | None, headers: Fields) -> Headers:
    """The headers with a content type, if they have none yet."""
    given = Headers(headers)
    if content_type is None or "content-type" in given:
        return given
    return Headers([*given.fields, ("content-type", content_type)])
