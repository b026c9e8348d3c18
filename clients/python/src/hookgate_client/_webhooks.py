"""The webhooks of a gateway."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from enum import Enum
from typing import Any

from ._errors import HookgateError
from ._http import Connection
from ._models import Delivery, Stats, Status, TestResult, Webhook, read, read_all
from ._time import write_time

Patterns = str | Iterable[str]
"""A pattern, or several: `match.found`, `match.*`, `github:push`."""


class _Unset(Enum):
    """Tells what is not given from `None`, which takes away what is there."""

    UNSET = 0


_UNSET = _Unset.UNSET


class Webhooks:
    """The webhooks of a gateway.

    Every call raises a `HookgateError` where the gateway does not do it: `NotFound` for an id that it does not know,
    `Invalid` for a field that is wrong, `Unauthorized`, `Conflict`, `Unavailable`.
    """

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect

    def create_webhook(
        self,
        *,
        url: str,
        events: Patterns,
        secret: str | None = None,
        description: str | None = None,
        custom_headers: Mapping[str, str] | None = None,
        rate_limit_per_minute: int | None = None,
        sources: Patterns | None = None,
        key_pair: bool | None = None,
    ) -> Webhook:
        """Makes a webhook, with its `.secret`: keep it, for it is not told again.

        `events` are types or patterns of them: `match.*`, and `github:*` is what the source `github` has. Without
        `secret` the gateway makes one up. `rate_limit_per_minute` is from 1 to 1,000. `sources` are whose events it
        gets, all without it. With `key_pair` its requests are signed with Ed25519 too.
        """
        given = {
            "url": url,
            "events": _several(events),
            "secret": secret,
            "description": description,
            "custom_headers": None if custom_headers is None else dict(custom_headers),
            "rate_limit_per_minute": rate_limit_per_minute,
            "sources": None if sources is None else _several(sources),
            "key_pair": key_pair,
        }
        return read(Webhook, self._call("POST", body=_without(None, given)))

    def list_webhooks(self, is_active: bool | None = None) -> list[Webhook]:
        """All webhooks, or those that are active, or those that are not."""
        query = {"is_active": None if is_active is None else str(bool(is_active)).lower()}
        return read_all(Webhook, self._call("GET", query=query))

    def get_webhook(self, id: str) -> Webhook:
        """A webhook by its id."""
        return read(Webhook, self._call("GET", id))

    def update_webhook(
        self,
        id: str,
        *,
        url: str | _Unset = _UNSET,
        events: Patterns | _Unset = _UNSET,
        sources: Patterns | _Unset = _UNSET,
        description: str | _Unset | None = _UNSET,
        custom_headers: Mapping[str, str] | _Unset = _UNSET,
        rate_limit_per_minute: int | _Unset | None = _UNSET,
        is_active: bool | _Unset = _UNSET,
        secret: str | _Unset = _UNSET,
    ) -> Webhook:
        """Changes what is given, and leaves the rest. A rate limit of `None` is no limit.

        A `secret` takes the place of the one before at once, and is not in the answer. `rotate_secret` leaves time.
        """
        given = {
            "url": url,
            "events": events if isinstance(events, _Unset) else _several(events),
            "sources": sources if isinstance(sources, _Unset) else _several(sources),
            "description": description,
            "custom_headers": custom_headers if isinstance(custom_headers, _Unset) else dict(custom_headers),
            "rate_limit_per_minute": rate_limit_per_minute,
            "is_active": is_active,
            "secret": secret,
        }
        return read(Webhook, self._call("PATCH", id, body=_without(_UNSET, given)))

    def delete_webhook(self, id: str) -> None:
        """Deletes a webhook, and gives up what waits for it."""
        self._call("DELETE", id)

    def rotate_secret(self, id: str, secret: str | None = None, grace_s: int | None = None) -> Webhook:
        """Gives a webhook a new secret, one that the gateway makes up where none is given, and tells it as `.secret`.

        Until `grace_s` seconds are over (without it, a day), requests are signed with the old one too.
        """
        given = _without(None, {"secret": secret, "grace_s": grace_s})
        return read(Webhook, self._call("POST", id, "rotate", body=given))

    def test_webhook(self, id: str, event_type: str, test_data: Any = None) -> TestResult:
        """Sends one request of a type to a webhook now, once, and tells what came of it."""
        given = _without(None, {"event_type": event_type, "test_data": test_data})
        return read(TestResult, self._call("POST", id, "test", body=given))

    def deliveries(
        self,
        id: str,
        status: Status | None = None,
        event_type: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        before: str | None = None,
    ) -> list[Delivery]:
        """The deliveries to a webhook, the newest first: at most `limit`, from 1 to 1,000, or 100 without it.

        `event_type` is a type or a pattern of types. With `before`, the id of an event, come those that are older than
        that of this event: `all_deliveries` goes on so by itself.
        """
        query = {
            "status": status,
            "event_type": event_type,
            "since": None if since is None else write_time(since),
            "until": None if until is None else write_time(until),
            "limit": None if limit is None else str(limit),
            "before": before,
        }
        return read_all(Delivery, self._call("GET", id, "deliveries", query=query))

    def all_deliveries(
        self,
        id: str,
        status: Status | None = None,
        event_type: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Iterator[Delivery]:
        """All deliveries to a webhook, the newest first, asked for a page at a time."""
        page = self.deliveries(id, status, event_type, since, until)
        while page:
            yield from page
            page = self.deliveries(id, status, event_type, since, until, before=page[-1].event_id)

    def stats(self, id: str) -> Stats:
        """How a webhook fares."""
        return read(Stats, self._call("GET", id, "stats"))

    def redeliver(self, id: str, event_id: str) -> int:
        """Delivers one event to a webhook again, whether or not it was taken. Tells how many that are.

        It is a `Conflict` where the webhook is not active, or the event is on its way or not kept any more.
        """
        return _redelivered(self._call("POST", id, "deliveries", event_id, "redeliver"))

    def redeliver_since(self, id: str, since: datetime, until: datetime | None = None) -> int:
        """Delivers what came since then, or between two times, and was not delivered. Tells how many that are.

        It is a `Conflict` where the webhook is not active.
        """
        given = {"since": write_time(since), "until": None if until is None else write_time(until)}
        return _redelivered(self._call("POST", id, "redeliver", body=_without(None, given)))

    def event_types(self) -> list[str]:
        """The types of events that there were, and those that webhooks wait for."""
        answer = self._call("GET", "events")
        return [str(type) for type in _entry(answer, "events", list)]

    def _call(self, method: str, *parts: str, **more: Any) -> Any:
        return self._connect().call(method, "webhooks", *parts, **more)


def _several(patterns: Patterns) -> list[str]:
    return [patterns] if isinstance(patterns, str) else list(patterns)


def _without(nothing: object, given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not nothing}


def _redelivered(answer: Any) -> int:
    return int(_entry(answer, "redelivered", int))


def _entry(answer: Any, name: str, kind: type) -> Any:
    value = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(value, kind):
        raise HookgateError(f"the answer has no `{name}`, and so is not from Hookgate")
    return value
