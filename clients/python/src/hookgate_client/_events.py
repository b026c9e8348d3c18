"""The events that webhooks get."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypedDict
from uuid import uuid4

from ._errors import Unavailable
from ._http import Connection
from ._models import read

# Long enough for a gateway to start anew.
_WAITS_S = (0.5, 1.0, 2.0)
# Whoever publishes waits as long.
_LONGEST_WAIT_S = 10.0


class Resource(TypedDict):
    """What an event happened to: its id, and what kind of thing it is."""

    id: str
    type: str


@dataclass(frozen=True)
class Published:
    """An event that is on the gateway's disk."""

    id: str
    """`evt_...`: the same at every receiver."""
    duplicate: bool
    """Whether it was there already: by the same id, or by an attempt of the same call whose answer was lost."""


class Events:
    """The events of a gateway."""

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect

    def publish(self, type: str, data: Any, id: str | None = None, resource: Resource | None = None) -> Published:
        """Publishes an event, which goes to each webhook that is for its type. `data` is what can be written as JSON.

        `id` is a name of yours for it: one that is published again under the same is the same event. Where the gateway
        is not to be had, it is tried three times more, after 0.5, 1 and 2 seconds, or later where it asks for that, but
        after 10 at the latest. One call never makes two events. Then it is an `Unavailable`; other errors, such as
        `Invalid` and `Unauthorized`, come at once.
        """
        given = {"type": type, "data": data, "id": id, "resource": resource}
        body = {name: value for name, value in given.items() if name == "data" or value is not None}
        headers = {"Idempotency-Key": str(uuid4())} if id is None else {}
        for wait_s in _WAITS_S:
            try:
                return self._send(body, headers)
            except Unavailable as error:
                time.sleep(max(wait_s, min(error.retry_after_s or 0, _LONGEST_WAIT_S)))
        return self._send(body, headers)

    def _send(self, body: dict[str, Any], headers: dict[str, str]) -> Published:
        return read(Published, self._connect().call("POST", "events", body=body, headers=headers))
