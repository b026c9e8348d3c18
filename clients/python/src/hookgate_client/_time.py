"""Times, as the API writes them and as Python has them."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any

_FRACTION = re.compile(r"\.(\d+)")


def read_time(text: Any) -> datetime:
    """A time of RFC 3339, in its own zone. What is none is a `ValueError` or a `TypeError`."""
    # Python 3.10 reads no `Z`, and no fractions but those of 3 and 6 digits.
    digits = _FRACTION.sub(lambda found: "." + found[1][:6].ljust(6, "0"), text)
    return _aware(datetime.fromisoformat(digits.upper().replace("Z", "+00:00")))


def read_time_or_none(text: Any) -> datetime | None:
    """The same, and `None` for null."""
    return None if text is None else read_time(text)


def write_time(time: datetime) -> str:
    """A time as the API takes it. One that does not know its zone is a `ValueError`."""
    return _aware(time).astimezone(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _aware(time: datetime) -> datetime:
    if time.utcoffset() is None:
        raise ValueError(f"{time} has no zone: write datetime(..., tzinfo=timezone.utc)")
    return time
