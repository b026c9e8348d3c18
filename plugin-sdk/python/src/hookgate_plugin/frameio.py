"""Frame.io: its API, called from a plugin, and what its custom actions are answered.

    from hookgate_plugin import frameio

    app.host("api.frame.io", methods=["POST"], credential="bearer")

    @app.on_webhook("frameio:file.ready")
    def ready(event):
        frameio.Client().comments.create(event.account_id, event.resource_id, "Processed!")

    @app.respond("frameio:review.*")
    def review(event):
        return frameio.Message("Thank you", "It is on its way.")

The token is the operator's. The gateway adds it to each request, and no plugin holds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar
from urllib.parse import quote

from . import http
from ._failure import Reject, Retry
from ._values import Duration
from .http import Response


class Unauthorized(Retry):
    """Frame.io does not take the token, or it is not for this: an operator can mend that before the next attempt."""


class NotFound(Reject):
    """There is no such thing at Frame.io, or the token's owner cannot see it."""


class Garbled(Retry):
    """Frame.io said that it went well, and nothing else that can be understood."""


class Client:
    """Calls the API with what the operator granted for its host: ask for that with `app.host`.

    An answer that is no success is raised: `Unauthorized` for 401 and 403, `NotFound` for 404, a `Retry` for 429 and from
    500 on, after as long as `Retry-After` asks for, and a `Reject` for anything else.
    """

    def __init__(self, *, base_url: str = "https://api.frame.io", timeout: Duration | None = None) -> None:
        self._base_url = base_url.rstrip("/")
        self._timeout = timeout

    @property
    def comments(self) -> Comments:
        """Comments on files."""
        return Comments(self)

    @property
    def files(self) -> Files:
        """Files."""
        return Files(self)

    def call(self, method: str, path: Iterable[str | None], data: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Calls what lies below `/v4`, by the parts of its path, and gives the `data` of the answer.

        What this client has no name for yet: `client.call("GET", ["accounts", account_id, "workspaces"])`.
        """
        url = "/".join([self._base_url, "v4", *map(_part, path)])
        body = None if data is None else {"data": data}
        answer = http.send(method, url, json=body, headers={"accept": "application/json"}, timeout=self._timeout)
        told = f"Frame.io answered {answer.status} to {method} {url.removeprefix(self._base_url)}"
        if not answer.ok:
            raise _failure(answer, told)
        return _data(answer, told)


@dataclass(frozen=True)
class Comments:
    """Comments on files."""

    client: Client

    def create(self, account_id: str | None, file_id: str | None, text: str) -> dict[str, Any]:
        """Adds a comment to a file, and gives it as Frame.io has it."""
        return self.client.call("POST", ["accounts", account_id, "files", file_id, "comments"], {"text": text})


@dataclass(frozen=True)
class Files:
    """Files."""

    client: Client

    def show(self, account_id: str | None, file_id: str | None) -> dict[str, Any]:
        """A file as Frame.io has it."""
        return self.client.call("GET", ["accounts", account_id, "files", file_id])


def _part(of_path: str | None) -> str:
    # What an event leaves out is `None`, and dots would lead elsewhere.
    if not of_path or not of_path.strip("."):
        raise Reject(f"an id is missing in a call of Frame.io: {of_path!r} is none")
    return quote(of_path, safe="")


def _failure(answer: Response, told: str) -> Exception:
    if answer.status in (401, 403):
        return Unauthorized(told)
    if answer.status == 404:
        return NotFound(told)
    if answer.status == 429 or answer.status >= 500:
        return Retry(told, after=_wait(answer))
    return Reject(told)


def _data(answer: Response, told: str) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        raise Garbled(f"{told}, whose body is not JSON") from None
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, dict):
        raise Garbled(f"{told}, whose body has no data")
    return data


def _wait(answer: Response) -> timedelta | None:
    """What `Retry-After` asks for, in seconds or until a date. What cannot be read leaves it to the operator's schedule."""
    value = answer.headers.get("retry-after", "").strip()
    try:
        if value.isdecimal():
            return timedelta(seconds=int(value))
        until = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    # A date whose zone is not said is one of HTTP's, and those are in UTC.
    until = until if until.tzinfo else until.replace(tzinfo=timezone.utc)
    return max(until - datetime.now(timezone.utc), timedelta())


class Message(Response):
    """Answers a custom action with a message."""

    def __init__(self, title: str, description: str = "") -> None:
        super().__init__({"title": title, "description": description})


class Form(Response):
    """Answers a custom action with a form. What the user fills in comes as the `data` of the next event's body."""

    def __init__(self, title: str, description: str = "", *, fields: Iterable[Field]) -> None:
        written = [each.written() for each in fields]
        super().__init__({"title": title, "description": description, "fields": written})


@dataclass(frozen=True)
class Field:
    """One of the things that a form is made of."""

    name: str
    """What its value is called in what the user submits."""
    label: str
    """What the user reads beside it."""
    value: str | bool | None = None
    """What is in it at first."""
    type: ClassVar[str]

    def written(self) -> dict[str, Any]:
        """As the answer has it."""
        written = {"type": self.type, "label": self.label, "name": self.name}
        return written if self.value is None else {**written, "value": self.value}


class TextField(Field):
    """A line of text."""

    type = "text"


class TextArea(Field):
    """Several lines of text."""

    type = "textarea"


class Checkbox(Field):
    """Yes or no."""

    type = "boolean"


class Link(Field):
    """A link to follow: its value is where to."""

    type = "link"


@dataclass(frozen=True)
class Select(Field):
    """One of several options: what is shown of each, and the value that it stands for."""

    options: Mapping[str, str] = field(kw_only=True)
    """The value of each option, by what is shown."""
    type = "select"

    def written(self) -> dict[str, Any]:
        """As the answer has it."""
        options = [{"name": shown, "value": value} for shown, value in self.options.items()]
        return {**super().written(), "options": options}
