"""Why something could not be done."""

from __future__ import annotations


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


class Unavailable(HookgateError):
    """It may work later: there was no answer, or it was a 503. Without an answer it may have been done all the same."""


class WrongSignature(HookgateError):
    """A request is not to be believed, and the message says why. Answer it with 401, and do nothing else with it."""


def error_of(status: int, message: str) -> HookgateError:
    """The error that an answer means."""
    kinds: dict[int, type[HookgateError]] = {
        400: Invalid,
        401: Unauthorized,
        403: Unauthorized,
        404: NotFound,
        422: Invalid,
        503: Unavailable,
    }
    return kinds.get(status, HookgateError)(message, status)
