"""What the API answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, ClassVar, Literal, TypeVar

from ._errors import HookgateError
from ._time import read_time, read_time_or_none

T = TypeVar("T")

Status = Literal["pending", "running", "done", "dead"]
"""Of a delivery: it waits for its next attempt, is being attempted, was taken, or was given up."""

_TIME = {"read": read_time}
_TIME_OR_NONE = {"read": read_time_or_none}


@dataclass(frozen=True)
class Webhook:
    """A URL that gets each event of the types that it is for."""

    id: str
    """`whk_...`."""
    url: str
    """Where events are posted."""
    description: str | None
    """What it is for, in the words of who made it."""
    events: list[str]
    """The types that it gets, or patterns of them: `match.*`, and of one source only: `github:push`."""
    sources: list[str]
    """The sources whose events it gets, or patterns of them; `*` is all."""
    is_active: bool
    """Whether it gets events."""
    disabled_reason: str | None
    """Why the gateway disabled it."""
    paused_until: datetime | None = field(metadata=_TIME_OR_NONE)
    """Until when its receiver is left alone, after it failed or asked for that; `None` where it is not."""
    rate_limit_per_minute: int | None
    """The most requests that it gets in a minute; `None` is no limit."""
    custom_headers: dict[str, str] = field(repr=False)
    """What is added to each request. A representation leaves it out: there may be a token in it."""
    public_key: str | None
    """`whpk_...`: what Ed25519 signatures are verified with, if it has a key pair."""
    total_deliveries: int
    """How many deliveries were attempted."""
    successful_deliveries: int
    """How many were taken."""
    failed_deliveries: int
    """How many were given up."""
    last_delivery_at: datetime | None = field(metadata=_TIME_OR_NONE)
    """When it last got one."""
    last_success_at: datetime | None = field(metadata=_TIME_OR_NONE)
    """When it last took one."""
    last_failure_at: datetime | None = field(metadata=_TIME_OR_NONE)
    """When one last failed."""
    created_at: datetime = field(metadata=_TIME)
    """When it was made."""
    updated_at: datetime = field(metadata=_TIME)
    """When it was last changed."""
    secret: str | None = field(default=None, repr=False)
    """What its requests are signed with. It is told when it is made or rotated, and `None` ever after."""


@dataclass(frozen=True)
class Attempt:
    """One request of a delivery."""

    number: int
    """1 for the first."""
    started_at: datetime = field(metadata=_TIME)
    """When it was sent."""
    duration_ms: float
    """How long it took, in milliseconds."""
    outcome: str
    """What came of it, in a word."""
    status_code: int | None
    """Of the answer; `None` where there was none."""
    response_body: str | None = field(repr=False)
    """The beginning of the answer."""
    error_message: str | None
    """Why it failed."""


@dataclass(frozen=True)
class Delivery:
    """One event on its way to one webhook."""

    id: str
    """`evt_...:whk_...`: what receivers get as `X-Delivery-ID`."""
    webhook_id: str
    """The webhook that it goes to."""
    event_id: str
    """The event that it carries."""
    event_type: str
    """What happened: `match.found`."""
    status: Status
    """What has become of it."""
    attempts: int
    """How many there were."""
    created_at: datetime = field(metadata=_TIME)
    """When the event came."""
    next_attempt_at: datetime | None = field(metadata=_TIME_OR_NONE)
    """When it is tried again; `None` where it is not."""
    history: list[Attempt] = field(metadata={"read": lambda answer: read_all(Attempt, answer)}, repr=False)
    """The attempts, the first one first."""


@dataclass(frozen=True)
class Stats:
    """How a webhook fares."""

    total_deliveries: int
    """How many deliveries were attempted."""
    successful_deliveries: int
    """How many were taken."""
    failed_deliveries: int
    """How many were given up."""
    pending_deliveries: int
    """How many are still to be taken."""
    attempts: int
    """How many requests there were for all of them."""
    success_rate: float | None
    """From 0 to 1; `None` where nothing has ended yet."""
    mean_duration_ms: float | None
    """How long a request takes, in milliseconds; `None` where there was none."""
    last_delivery_at: datetime | None = field(metadata=_TIME_OR_NONE)
    """When it last got one."""
    last_success_at: datetime | None = field(metadata=_TIME_OR_NONE)
    """When it last took one."""
    last_failure_at: datetime | None = field(metadata=_TIME_OR_NONE)
    """When one last failed."""
    failing_since: datetime | None = field(metadata=_TIME_OR_NONE)
    """Since when all have failed; `None` where the last one did not."""


@dataclass(frozen=True)
class TestResult:
    """What came of a request that was sent to try a webhook out."""

    # Its name does not make it a test of whoever imports it.
    __test__: ClassVar[bool] = False

    success: bool
    """Whether it was taken."""
    status_code: int | None
    """Of the answer; `None` where there was none."""
    response_body: str | None = field(repr=False)
    """The beginning of the answer."""
    error_message: str | None
    """Why it failed."""
    duration_ms: float
    """How long it took, in milliseconds."""


def read(kind: type[T], answer: Any) -> T:
    """Makes a dataclass of an object. What it has no field for is left out: a newer gateway may say more.

    An object that lacks something is a `HookgateError`.
    """
    known: Any = kind
    try:
        given = [each for each in fields(known) if each.name in answer]
        return kind(**{each.name: _value(each.metadata.get("read"), answer[each.name]) for each in given})
    except (TypeError, ValueError, LookupError):
        raise HookgateError(f"the answer is no {kind.__name__}, and so not from Hookgate") from None


def read_all(kind: type[T], answer: Any) -> list[T]:
    """The same for a list of objects."""
    if not isinstance(answer, list):
        raise HookgateError(f"the answer is no list of {kind.__name__}, and so not from Hookgate")
    return [read(kind, each) for each in answer]


def _value(read_one: Callable[[Any], Any] | None, value: Any) -> Any:
    return value if read_one is None else read_one(value)
