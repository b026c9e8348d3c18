"""Tests without the gateway: plain `unittest` or pytest.

    from hookgate_plugin import testing
    from plugin import app

    result = testing.run(app, testing.event("file.ready", resource_id="f1"))
    assert result.outcome == "done"
    assert result.logs == ["info: file f1 is ready for processing"]

What is logged and printed while an event is handled is in `logs` and nowhere else.

What the plugin asks for is granted. Its state is in memory, and what it emits is in `emitted`. Requests are answered by the
test: `http={"GET https://api.example.com/v1/things": Response([])}`, or a function that takes a `Request`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Literal

from . import _host
from ._app import App
from ._event import Event
from ._failure import Outcome
from ._fake import Fake, Http, State
from ._log import Level, Log
from ._values import as_bytes, as_setting
from .http import Request, Response

__all__ = ["Result", "State", "event", "respond", "run"]

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

# What a made-up event was received at, so that a test is the same each day.
_RECEIVED_AT = datetime(2026, 1, 1, tzinfo=timezone.utc)


def event(
    type: str,
    *,
    payload: Any = b"",
    attributes: Mapping[str, str] | None = None,
    resource_id: str | None = None,
    resource_type: str | None = None,
    account_id: str | None = None,
    user_id: str | None = None,
    project_id: str | None = None,
    workspace_id: str | None = None,
    id: str = "evt_0000000000000",
    source: str = "test",
    provider: str = "test",
    received_at: datetime = _RECEIVED_AT,
    attempt: int = 1,
) -> Event:
    """Makes an event up. A payload that is neither bytes nor text is written as JSON."""
    named = {
        "resource.id": resource_id,
        "resource.type": resource_type,
        "account.id": account_id,
        "user.id": user_id,
        "project.id": project_id,
        "workspace.id": workspace_id,
    }
    known = {name: value for name, value in named.items() if value is not None}
    received_at_ms = (received_at - _EPOCH) // timedelta(milliseconds=1)
    fields = (id, source, provider, type, received_at_ms, attempt)
    return Event(*fields, {**known, **(attributes or {})}, as_bytes(payload))


@dataclass(frozen=True)
class Result:
    """What became of an event."""

    outcome: Literal["done", "reject", "retry"]
    why: str
    """The reason of a reject or a retry."""
    after: timedelta | None
    """How long a retry asks to wait."""
    logs: list[str]
    """What was logged and printed, as `info: message`."""
    requests: list[Request]
    """What was sent, whatever became of it."""
    emitted: list[Event]
    """The events that were made: none, unless it is done. They can be given to `run`."""
    answer: Response | None
    """What a responder returned."""


def run(
    app: App,
    event: Event,
    *,
    settings: Mapping[str, Any] | None = None,
    state: State | None = None,
    http: Http | None = None,
) -> Result:
    """Gives an event to a plugin as the gateway would, with these settings granted.

    What it writes to the state is forgotten unless it is done. Without `http`, requests are denied.
    """
    return _run(app, app.outcome, event, settings or {}, state or State(), http)


def respond(
    app: App,
    event: Event,
    *,
    settings: Mapping[str, Any] | None = None,
    state: State | None = None,
    http: Http | None = None,
) -> Result:
    """Has a plugin answer the sender of an event, in the same way."""
    return _run(app, app.answered, event, settings or {}, state or State(), http)


def _run(
    app: App,
    call: Callable[[Event], Outcome],
    event: Event,
    settings: Mapping[str, Any],
    state: State,
    http: Http | None,
) -> Result:
    logs: list[str] = []

    def write(level: Level, line: str) -> None:
        logs.append(f"{level}: {line}")

    fake = Fake(app, event, state, http)
    before = _host.asked, _host.granted, _host.powers
    _host.asked = {ask.name: ask for ask in app.asks if ask.what == "setting"}
    _host.granted = {key: as_setting(value) for key, value in settings.items()}
    _host.powers = lambda: fake
    try:
        with Log(write).installed():
            outcome = call(event)
    finally:
        _host.asked, _host.granted, _host.powers = before
    fake.settle(outcome.kind == "done")
    return Result(outcome.kind, outcome.why, outcome.after, logs, fake.requests, fake.emitted, outcome.answer)
