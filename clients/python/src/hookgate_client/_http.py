"""Calls of the API, one connection each."""

from __future__ import annotations

import http.client
import json
import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from ._errors import HookgateError, Unavailable, error_of

_BASE = "/api/v1"
_PART = re.compile(r"[A-Za-z0-9_-]+")
_KEY = re.compile(r"[\x21-\x7e]+")
_URL = re.compile(r"[^\s@?#]+")


class Connection:
    """Where the gateway is and who asks. It follows no redirects and uses no proxy: the API key goes nowhere else."""

    def __init__(self, url: str | None = None, api_key: str | None = None, timeout_s: float = 30) -> None:
        self.url = _address(_setting(url, "url", "HOOKGATE_URL"))
        self._api_key = _key(_setting(api_key, "api_key", "HOOKGATE_API_KEY"))
        if not timeout_s > 0:
            raise ValueError(f"a timeout is longer than {timeout_s} s")
        self._timeout_s = timeout_s

    def call(
        self,
        method: str,
        *parts: str,
        query: Mapping[str, str | None] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Calls what lies at the parts of a path, and gives the JSON of the answer; `None` where it has no content.

        An answer that is no success, or none at all, is a `HookgateError`.
        """
        given = {name: value for name, value in (query or {}).items() if value is not None}
        path = "/".join([_BASE, *map(_part, parts)]) + ("?" + urlencode(given) if given else "")
        content = None if body is None else json.dumps(body, allow_nan=False).encode()
        status, answer, retry_after = self._send(method, path, content, self._headers(content, headers))
        if not 200 <= status < 300:
            sentence = _sentence(answer) or f"the gateway answered {status} to {method} {path}"
            raise error_of(status, sentence, retry_after)
        return None if status == 204 else _json(answer, status)

    def _headers(self, content: bytes | None, more: Mapping[str, str] | None) -> dict[str, str]:
        headers = {"Accept": "application/json", "Authorization": f"Bearer {self._api_key}", **(more or {})}
        return headers if content is None else {**headers, "Content-Type": "application/json"}

    def _send(
        self, method: str, path: str, content: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes, str | None]:
        """Its status, its content, and its `Retry-After`."""
        address = urlsplit(self.url)
        kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        connection = kind(address.hostname or "", address.port, timeout=self._timeout_s)
        try:
            connection.request(method, address.path + path, content, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.getheader("Retry-After")
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"no answer from {self.url}: {str(error) or type(error).__name__}") from error
        finally:
            connection.close()


def _setting(given: str | None, name: str, variable: str) -> str:
    value = os.environ.get(variable) if given is None else given
    if not value:
        raise ValueError(f"it is not said which gateway to use: give `{name}`, or set {variable}")
    return value


def _address(url: str) -> str:
    parts = urlsplit(url)
    # A password in it, before an `@`, would be shown with the address.
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0 or not _URL.fullmatch(url):
        raise ValueError("the gateway's address is not of the form http://127.0.0.1:8081 or https://example.com/path")
    return url.rstrip("/")


def _key(text: str) -> str:
    # What does not fit into a header would be shown by the error that says so.
    if not _KEY.fullmatch(text):
        raise ValueError("the API key has characters that no key has: a space, or the end of a line?")
    return text


def _part(of_path: str) -> str:
    """A part of a path. What comes from elsewhere must not lead elsewhere."""
    if not isinstance(of_path, str) or not _PART.fullmatch(of_path):
        raise ValueError(f"an id is letters, digits, `_` and `-`: {of_path!r:.100} is none")
    return of_path


def _sentence(answer: bytes) -> str | None:
    """What the gateway says of an error."""
    try:
        said = json.loads(answer)["error"]
    except (ValueError, TypeError, LookupError):
        return None
    return said if isinstance(said, str) else None


def _json(answer: bytes, status: int) -> Any:
    try:
        return json.loads(answer)
    except ValueError:
        raise HookgateError(f"the answer is not JSON, and so not from Hookgate: {answer[:100]!r}", status) from None
