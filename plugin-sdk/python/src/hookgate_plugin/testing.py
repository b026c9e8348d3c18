"""Tests without the gateway: plain `unittest` or pytest.

    from hookgate_plugin import testing
    from plugin import app

    result = testing.run(app, testing.event("file.ready", resource_id="f1"))
    assert result.outcome == "done"
    assert result.logs == ["info: file f1 is ready for processing"]

What is logged and printed while an event is handled is in `logs` and nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Literal

from . import _host
from ._app import App
from ._event import Event
from ._log import Level, Log

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

# What a made-up event was received at, so that a test is the same each day.
_RECEIVED_AT = datetime(2026, 1, 1, tzinfo=timezone.utc)


def event(
    type: str,
    *,
    payload: bytes | str | dict[str, Any] | list[Any] = b"",
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
    if isinstance(payload, (dict, list)):
        payload = json.dumps(payload)
    if isinstance(payload, str):
        payload = payload.encode()
    received_at_ms = (received_at - _EPOCH) // timedelta(milliseconds=1)
    return Event(id, source, provider, type, received_at_ms, attempt, {**known, **(attributes or {})}, payload)


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


def run(app: App, event: Event, *, settings: Mapping[str, str] | None = None) -> Result:
    """Gives an event to a plugin as the gateway would, with these settings granted."""
    logs: list[str] = []

    def write(level: Level, line: str) -> None:
        logs.append(f"{level}: {line}")

    defaults = {setting.key: setting.default for setting in app.settings if setting.default is not None}
    before, _host.granted = _host.granted, {**defaults, **(settings or {})}
    try:
        with Log(write).installed():
            outcome = app.outcome(event)
    finally:
        _host.granted = before
    return Result(outcome.kind, outcome.why, outcome.after, logs)
