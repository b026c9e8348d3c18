"""Says whether a request is Hookgate's, and what it says. What is in doubt is refused."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from ._errors import WrongSignature
from ._time import read_time

_PREFIX = "whsec_"
_VERSION = "v1,"
_BYTES = 32
# How many signatures of one header are looked at.
_SIGNATURES = 10
_ID = re.compile(r"[A-Za-z0-9_-]{1,256}")
_SECONDS = re.compile(r"[0-9]{1,12}")
_HEX = re.compile(r"[0-9A-Fa-f]{64}")


class Headers(Protocol):
    """The headers of a request: those of Flask, Django, Starlette or `http.server`, or a dict."""

    def items(self) -> Iterable[tuple[str, object]]:
        """Names, in whatever case, and values."""


@dataclass(frozen=True)
class Event:
    """What happened. Its request was signed with the webhook's secret."""

    id: str
    """`evt_...`: the same on every attempt. Note it to notice a repeat."""
    type: str
    """What happened: `video.processed`."""
    created_at: datetime
    """When the gateway got it."""
    data: Any = field(repr=False)
    """All that was said of it, as JSON reads. A representation leaves it out: it may be large."""
    resource_id: str | None
    """What it happened to."""
    resource_type: str | None
    """What kind of thing that is."""


def verify(
    body: bytes,
    headers: Headers,
    secret: str | Sequence[str],
    tolerance_s: float = 300,
    *,
    allow_untimed: bool = False,
) -> Event:
    """Gives the event of a request that was signed with the webhook's secret, or with one of several.

    `body` is the bytes as they came: what was read as JSON and written again has another signature. The time of signing
    may be `tolerance_s` seconds away from now.

    Anything but a signed event is a `WrongSignature`, whose message is the cause. Arguments that make no sense, such as
    an empty secret, are a `TypeError` or a `ValueError`.

    With `allow_untimed`, a request without `webhook-signature` is taken with the older `X-Webhook-Signature`, in which
    there is no time, so that whoever overheard one can send it again at any time.
    """
    raw, secrets = _raw(body), _secrets(secret)
    header = _header(headers, "webhook-signature")
    if header is not None:
        found, expected = _standard(raw, headers, secrets, header, tolerance_s)
    elif allow_untimed is True:
        found, expected = _plain(raw, headers, secrets)
    else:
        raise WrongSignature("there is no webhook-signature, and X-Webhook-Signature counts only with allow_untimed")
    # A list, so that all are compared, and the time that it takes does not tell which one it is.
    if not any([hmac.compare_digest(one, other) for one in found for other in expected]):
        raise WrongSignature("the signature matches no secret")
    return _event(raw)


def _raw(body: object) -> bytes:
    if not isinstance(body, (bytes, bytearray, memoryview)):
        raise TypeError(f"pass the raw bytes of the body as they came, and not {type(body).__name__}")
    return bytes(body)


def _secrets(secret: str | Sequence[str]) -> list[str]:
    secrets = [secret] if isinstance(secret, str) else list(secret or [])
    if not all(isinstance(each, str) for each in secrets):
        raise TypeError("a secret is text")
    # With an empty one, anybody could sign.
    if not secrets or not all(map(_key, secrets)):
        raise ValueError("there is no secret to verify with")
    return secrets


def _header(headers: Headers, name: str) -> str | None:
    """The value of a header that may be there once at the most."""
    values = [value for known, value in headers.items() if known.lower() == name and value is not None]
    if len(values) > 1 or any(not isinstance(value, str) for value in values):
        raise WrongSignature(f"the header {name} is repeated, or is not text")
    return str(values[0]) if values else None


def _plain(body: bytes, headers: Headers, secrets: list[str]) -> tuple[list[bytes], list[bytes]]:
    """The signature of `X-Webhook-Signature`, and those that the secrets make."""
    text = _header(headers, "x-webhook-signature")
    if text is None:
        raise WrongSignature("there is no signature")
    if not _HEX.fullmatch(text):
        raise WrongSignature("the signature is malformed")
    return [bytes.fromhex(text)], [_mac(secret.encode(), body) for secret in secrets]


def _standard(
    body: bytes, headers: Headers, secrets: list[str], header: str, tolerance_s: float
) -> tuple[list[bytes], list[bytes]]:
    """The signatures of `webhook-signature`, and those that the secrets make."""
    id, seconds = _header(headers, "webhook-id"), _header(headers, "webhook-timestamp")
    # A dot in it could be taken for the one behind it.
    if id is None or not _ID.fullmatch(id):
        raise WrongSignature("the webhook-id is missing or malformed")
    if seconds is None or not _SECONDS.fullmatch(seconds):
        raise WrongSignature("the timestamp is missing or malformed")
    _check_time(int(seconds), tolerance_s)
    found = [signature for signature in map(_signature, header.split(" ")) if signature is not None]
    if not found:
        raise WrongSignature("the signature is malformed")
    signed = f"{id}.{seconds}.".encode() + body
    return found[:_SIGNATURES], [_mac(_key(secret), signed) for secret in secrets]


def _check_time(seconds: int, tolerance_s: float) -> None:
    age_s = time.time() - seconds
    # Said so that a tolerance that is no number tolerates nothing.
    if not abs(age_s) <= tolerance_s:
        raise WrongSignature(f"the timestamp is {'too old' if age_s > 0 else 'in the future'}")


def _signature(text: str) -> bytes | None:
    """A signature of one header; `None` for those of other kinds."""
    tag = _decoded(text.removeprefix(_VERSION)) if text.startswith(_VERSION) else None
    return tag if tag is not None and len(tag) == _BYTES else None


def _key(secret: str) -> bytes:
    """The bytes that a secret stands for."""
    if not secret.startswith(_PREFIX):
        return secret.encode()
    text = secret.removeprefix(_PREFIX).rstrip("=")
    # Secrets are taken with their padding and without, as the gateway takes them.
    key = _decoded(text + "=" * (-len(text) % 4))
    if not key:
        raise ValueError(f"what follows `{_PREFIX}` in a secret is base64, and here it is not")
    return key


def _decoded(text: str) -> bytes | None:
    """The bytes of base64 that is written in the one way that it is written."""
    try:
        decoded = b64decode(text, validate=True)
    except ValueError:
        return None
    return decoded if b64encode(decoded).decode() == text else None


def _mac(key: bytes, signed: bytes) -> bytes:
    return hmac.new(key, signed, hashlib.sha256).digest()


def _event(body: bytes) -> Event:
    try:
        told = json.loads(body.decode())
        return Event(
            id=_text(told["id"]),
            type=_text(told["type"]),
            created_at=read_time(told["created_at"]),
            data=told["data"],
            resource_id=_text_or_none(told.get("resource_id")),
            resource_type=_text_or_none(told.get("resource_type")),
        )
    except (ValueError, TypeError, LookupError, RecursionError):
        raise WrongSignature("the body is signed, but it is no event of Hookgate") from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)
