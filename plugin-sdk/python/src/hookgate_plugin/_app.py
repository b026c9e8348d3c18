"""What an author makes a plugin of."""

from __future__ import annotations

import importlib
import inspect
import logging
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, TypeVar

from . import _host
from ._async import run
from ._event import Event
from ._failure import Outcome, Reject, Retry, outcome_of
from ._pattern import is_name, matches, mistake

Handler = TypeVar("Handler", bound=Callable[[Event], Any])

# Whose part in a trace helps nobody: this package, what imports modules, and what a component begins with.
_UNTOLD = (str(PurePath(__file__).parent), str(PurePath(importlib.__file__).parent), "<frozen importlib", "/0/")


@dataclass(frozen=True)
class Setting:
    """Something that the operator is asked to grant."""

    key: str
    default: str | None
    about: str


class App:
    """A plugin: its name, its handlers and its settings."""

    def __init__(self, name: str, *, version: str = "0.0.0") -> None:
        if not is_name(name):
            raise ValueError(f"{name!r}: the name of a plugin is 1 to 64 lower-case letters, digits, `-` and `_`")
        self.name = name
        self.version = version
        self.settings: list[Setting] = []
        self._handlers: list[tuple[Sequence[str], Callable[[Event], Any]]] = []

    @property
    def subscriptions(self) -> list[str]:
        """The patterns of all handlers."""
        return [pattern for patterns, _ in self._handlers for pattern in patterns]

    def on_webhook(self, patterns: str | Iterable[str]) -> Callable[[Handler], Handler]:
        """Calls the decorated function, `def` or `async def`, with each event that a pattern matches.

        A pattern is `type` or `source:type`, where the left side is the name of a source or of a provider and `*` stands
        for any characters: `file.ready`, `comment.*`, `github:push`. The first handler with a pattern that matches runs.
        """
        if callable(patterns):
            raise TypeError('say which webhooks: @app.on_webhook("file.ready")')
        patterns = (patterns,) if isinstance(patterns, str) else tuple(patterns)
        for pattern in patterns:
            why = mistake(pattern)
            if why is None and pattern in self.subscriptions:
                why = "another handler has this pattern already"
            if why:
                raise ValueError(f"{pattern!r}: {why}")

        def register(handler: Handler) -> Handler:
            self._handlers.append((patterns, handler))
            return handler

        return register

    def setting(self, key: str, *, default: str | None = None, about: str = "") -> None:
        """Asks the operator for a setting. Without a default it must be granted before the plugin runs.

        Read it in a handler, with `setting(key)` of this package.
        """
        if not key or any(c.isspace() for c in key):
            raise ValueError(f"{key!r}: the key of a setting is not empty and has no whitespace")
        if any(key == known.key for known in self.settings):
            raise ValueError(f"{key!r}: the plugin asks for this setting already")
        if default is not None:
            if not isinstance(default, str):
                raise TypeError(f"the default of {key!r} is not text")
            _host.defaults[key] = default
        self.settings.append(Setting(key, default, about))

    def handle(self, event: Event) -> None:
        """Gives an event to the first handler, in order of writing, with a pattern that matches it."""
        for patterns, handler in self._handlers:
            if any(matches(pattern, event.source, event.provider, event.type) for pattern in patterns):
                result = handler(event)
                if inspect.iscoroutine(result):
                    run(result)
                return
        # It is older than the plugin's present subscriptions.
        raise Reject(f"no handler for {event.type}")

    def outcome(self, event: Event) -> Outcome:
        """Handles an event and tells what became of it, whatever happens."""
        try:
            self.handle(event)
        except BaseException as error:  # Also SystemExit: a plugin that says exit() has not done its work.
            if not isinstance(error, (Reject, Retry)):
                logging.getLogger().error("%s", trace(error))
            return outcome_of(error)
        return Outcome()


def trace(error: BaseException) -> str:
    """Where it happened, as the author's own code has it."""
    try:
        told = traceback.TracebackException.from_exception(error)
        part: traceback.TracebackException | None = told
        while part:
            part.stack = traceback.StackSummary.from_list([frame for frame in part.stack if _is_told(frame.filename)])
            part = part.__cause__ or part.__context__
        lines = "".join(told.format()).splitlines()
    except Exception:
        return type(error).__name__
    # Not the lines that merely point.
    return "\n".join(line for line in lines if line.strip(" ~^"))


def _is_told(file: str) -> bool:
    return not file.startswith(_UNTOLD)
