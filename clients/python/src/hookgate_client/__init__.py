"""Manage the outgoing webhooks of the webhook gateway Hookgate, publish events to them, and verify what they send.

    from hookgate_client import webhooks

    webhook = webhooks.create_webhook(url="https://example.com/hooks", events=["video.processed", "match.found"])
    keep(webhook.secret)

`webhooks` is that of the gateway that the environment names, with `HOOKGATE_URL` and `HOOKGATE_API_KEY`. Any other is a
`Hookgate(url, api_key)`, which has `.webhooks` and `.events`.

What receives webhooks needs neither: `verify(body, headers, secret)` gives the event, or raises `WrongSignature`.

All times are `datetime`s that know their zone; all durations are in the unit that their name ends with.
"""

from ._client import Hookgate
from ._errors import Conflict, HookgateError, Invalid, NotFound, Unauthorized, Unavailable, WrongSignature
from ._events import Events, Published, Resource
from ._http import Connection as _Connection
from ._models import Attempt, Delivery, Stats, TestResult, Webhook
from ._verify import Event, verify
from ._webhooks import Webhooks

__all__ = [
    "Attempt",
    "Conflict",
    "Delivery",
    "Event",
    "Events",
    "Hookgate",
    "HookgateError",
    "Invalid",
    "NotFound",
    "Published",
    "Resource",
    "Stats",
    "TestResult",
    "Unauthorized",
    "Unavailable",
    "Webhook",
    "Webhooks",
    "WrongSignature",
    "verify",
    "webhooks",
]

# The environment is read at each call, and so not by the import.
webhooks = Webhooks(_Connection)
"""The webhooks of the gateway that the environment names. Where it names none, a call is a `ValueError`."""
