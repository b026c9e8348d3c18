"""What a handler is called with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from ._failure import Reject
from ._values import read_json

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Event:
    """One verified webhook."""

    id: str
    """`evt_...`: the same on every attempt and after a crash. Use it to notice a repeat."""
    source: str
    """The source that it came in by, a name of the operator's choice."""
    provider: str
    """How its sender signs and shapes webhooks: `frameio`, `github`, ..."""
    type: str
    """What happened, in the sender's words: `file.ready`."""
    received_at_ms: int
    """When Hookgate received it, in milliseconds since 1970-01-01 UTC."""
    attempt: int
    """1 on the first try."""
    attributes: Mapping[str, str]
    """What the provider's description finds in the request: `resource.id`, `account.id`, ..."""
    payload: bytes
    """The body as it was signed, byte for byte. It need not be text."""

    def attribute(self, name: str) -> str | None:
        """What the provider's description finds in the request under a name."""
        return self.attributes.get(name)

    @property
    def resource_id(self) -> str | None:
        """What it happened to."""
        return self.attributes.get("resource.id")

    @property
    def resource_type(self) -> str | None:
        """What kind of thing that is."""
        return self.attributes.get("resource.type")

    @property
    def account_id(self) -> str | None:
        """The account that it belongs to."""
        return self.attributes.get("account.id")

    @property
    def user_id(self) -> str | None:
        """Who did it."""
        return self.attributes.get("user.id")

    @property
    def project_id(self) -> str | None:
        """The project that it belongs to."""
        return self.attributes.get("project.id")

    @property
    def workspace_id(self) -> str | None:
        """The workspace that it belongs to."""
        return self.attributes.get("workspace.id")

    @property
    def received_at(self) -> datetime:
        """When Hookgate received it, in UTC."""
        return _EPOCH + timedelta(milliseconds=self.received_at_ms)

    @property
    def text(self) -> str:
        """The body as text. One that is not UTF-8 is rejected: it will be the same on the next attempt."""
        try:
            return self.payload.decode()
        except UnicodeDecodeError as error:
            raise Reject(f"the body is not UTF-8: {error}") from error

    def json(self) -> Any:
        """The body, read as JSON. One that is not JSON is rejected."""
        try:
            return read_json(self.text)
        except ValueError as error:
            raise Reject(f"the body is not JSON: {error}") from error

    def __repr__(self) -> str:
        # A payload of a mebibyte would drown the rest: its size is shown instead.
        return f"<Event {self.id} {self.type} of {self.source}, {len(self.payload)} bytes>"
