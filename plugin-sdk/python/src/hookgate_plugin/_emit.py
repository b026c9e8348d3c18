"""Events that a plugin makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import _host
from ._values import as_bytes, as_text, as_texts


def emit(type: str, payload: Any = b"", *, attributes: Mapping[str, str] | None = None) -> None:
    """Makes an event, to which others can subscribe as `plugin:<type>`. Ask for it first: `app.emits("video.*")`.

    The payload is bytes, or text, or anything that can be written as JSON. The event is accepted in the same commit that
    says that the handler returned, and not at all if it raises.
    """
    _host.powers().emit(as_text(type), as_bytes(payload), as_texts(attributes or {}))
