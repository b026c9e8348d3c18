"""Why something could not be done."""

from __future__ import annotations

import re

_SECONDS = re.compile(r"[0-9]+")


class HookgateError(Exception):
    """The gateway did not do what it was asked for. What there is no better class for is of this one."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        """A sentence: the gateway's own where it said one."""
        self.status = status
        """The status of its answer; `None` where there was none."""


class Invalid(HookgateError):
    """A field is wrong, and the message says which: 400 and 422."""


class Unauthorized(HookgateError):
    """The API key is not known, or it may not do this: 401 and 403."""


class NotFound(HookgateError):
    """There is no such webhook or event: 404."""


class Conflict(HookgateError):
    """It cannot be done as things stand, and the message says why: 409. The webhook is not active, say."""


class Unavailable(HookgateError):
    """It may work later: there was no answer, or a 408, after which it may have been done all the same; or a 503."""

    def __init__(self, message: str, status: int | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(message, status)
        self.retry_after_s = retry_after_s
        """How many seconds the gateway asks to wait; `None` where it does not."""


class WrongSignature(HookgateError):
    """A request is not to be believed, and the message says why. Answer it with 401, and do nothing else with it."""


def error_of(status: int, message: str, retry_after: str | None) -> HookgateError:
    """The error that an answer means. `retry_after` is its header."""
    if status in (408, 503):
        return Unavailable(message, status, _seconds(retry_after))
    kinds: dict[int, type[HookgateError]] = {
        400: Invalid,
        401: Unauthorized,
        403: Unauthorized,
        404: NotFound,
        409: Conflict,
        422: Invalid,
    }
    return kinds.get(status, HookgateError)(message, status)


def _seconds(text: str | None) -> float | None:
    # Proxies may name a date, which is as good as nothing where clocks differ.
    return float(text) if text is not None and _SECONDS.fullmatch(text) else None
