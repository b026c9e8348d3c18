"""Why a handler could not do its work, and what the gateway makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

# More than the gateway keeps.
_WHY_LENGTH = 2000
_NO_WHY = "no reason given"


class Reject(Exception):
    """This event can never be handled: the delivery is dead at once, and kept for the operator to look at."""

    def __init__(self, why: object = _NO_WHY) -> None:
        super().__init__(why)


class Retry(Exception):
    """It may work later: the delivery is tried again.

    `after`, in seconds or as a `timedelta`, is how long to wait at least; without it the operator's schedule decides.
    """

    def __init__(self, why: object = _NO_WHY, *, after: float | timedelta | None = None) -> None:
        super().__init__(why)
        self.after = timedelta(seconds=after) if isinstance(after, (int, float)) else after


@dataclass(frozen=True)
class Outcome:
    """What became of an event."""

    kind: Literal["done", "reject", "retry"] = "done"
    why: str = ""
    after: timedelta | None = None

    @property
    def after_ms(self) -> int | None:
        """Whole milliseconds, rounded up."""
        return None if self.after is None else max(0, -(-self.after // timedelta(milliseconds=1)))


def outcome_of(error: BaseException) -> Outcome:
    """What an exception means."""
    if isinstance(error, Reject):
        return Outcome("reject", _one_line(error))
    if isinstance(error, Retry):
        return Outcome("retry", _one_line(error), error.after)
    why = _one_line(error)
    kind = type(error).__name__
    return Outcome("retry", f"{kind}: {why}" if why else kind)


def _one_line(error: BaseException) -> str:
    try:
        return " ".join(str(error).splitlines())[:_WHY_LENGTH]
    except Exception:
        return "its message cannot be read"
