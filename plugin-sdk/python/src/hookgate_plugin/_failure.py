"""Why a handler could not do its work, and what the gateway makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from ._values import Duration, as_milliseconds, as_timedelta

if TYPE_CHECKING:
    from .http import Response

# More than the gateway keeps.
_WHY_LENGTH = 2000
_NO_WHY = "no reason given"

Kind = Literal["denied", "invalid", "limit", "busy", "timeout", "failed"]
"""What went wrong: not asked for or not granted; makes no sense; more than is granted; too much at a time; took too long;
could not be done."""


class Reject(Exception):
    """This event can never be handled: the delivery is dead at once, and kept for the operator to look at."""

    def __init__(self, why: object = _NO_WHY) -> None:
        super().__init__(why)


class Retry(Exception):
    """It may work later: the delivery is tried again.

    `after`, in seconds or as a `timedelta`, is how long to wait at least; without it the operator's schedule decides.
    """

    def __init__(self, why: object = _NO_WHY, *, after: Duration | None = None) -> None:
        super().__init__(why)
        self.after = None if after is None else as_timedelta(after)


class PowerError(Exception):
    """The gateway did not do what it was asked for: a request, something with the state, an event.

    Where nobody catches it, the delivery is tried again. One of the kind `invalid` is rejected: it would be the same then.
    """

    def __init__(self, kind: Kind, why: str) -> None:
        super().__init__(kind, why)
        self.kind = kind
        self.why = why

    def __str__(self) -> str:
        return self.why


@dataclass(frozen=True)
class Outcome:
    """What became of an event."""

    kind: Literal["done", "reject", "retry"] = "done"
    why: str = ""
    after: timedelta | None = None
    answer: Response | None = None

    @property
    def after_ms(self) -> int | None:
        """Whole milliseconds, rounded up."""
        return as_milliseconds(self.after)


def is_meant(error: BaseException) -> bool:
    """Whether an exception says all that there is to say. Of any other, a trace tells where it came from."""
    return isinstance(error, (Reject, Retry, PowerError))


def outcome_of(error: BaseException) -> Outcome:
    """What an exception means."""
    if isinstance(error, Reject):
        return Outcome("reject", _one_line(error))
    if isinstance(error, Retry):
        return Outcome("retry", _one_line(error), error.after)
    if isinstance(error, PowerError):
        return Outcome("reject" if error.kind == "invalid" else "retry", _one_line(error))
    why = _one_line(error)
    kind = type(error).__name__
    return Outcome("retry", f"{kind}: {why}" if why else kind)


def _one_line(error: BaseException) -> str:
    try:
        return " ".join(str(error).splitlines())[:_WHY_LENGTH]
    except Exception:
        return "its message cannot be read"
