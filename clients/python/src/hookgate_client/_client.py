"""A gateway, as those who use its API see it."""

from __future__ import annotations

from ._events import Events
from ._http import Connection
from ._webhooks import Webhooks


class Hookgate:
    """A gateway.

    `url` is its admin address or that of its API, `http://127.0.0.1:8081`, and `api_key` begins with `hgk_`. What is
    not given is read from the environment, `HOOKGATE_URL` and `HOOKGATE_API_KEY`; what is in neither is a `ValueError`.
    `timeout_s` is how many seconds the gateway may be silent before a call is given up with `Unavailable`.

    Each call makes a connection of its own, so that threads can share one of these.
    """

    def __init__(self, url: str | None = None, api_key: str | None = None, timeout_s: float = 30) -> None:
        connection = Connection(url, api_key, timeout_s)
        self._url = connection.url
        self.webhooks = Webhooks(lambda: connection)
        """Its webhooks."""
        self.events = Events(lambda: connection)
        """Its events."""

    def __repr__(self) -> str:
        return f"<Hookgate at {self._url}>"
