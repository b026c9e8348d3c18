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

from . import _ask, _host
from ._ask import Ask, Credential
from ._async import run
from ._event import Event
from ._failure import Outcome, Reject, is_meant, outcome_of
from ._pattern import is_name, matches, mistake
from ._values import Type
from .http import Response

Handler = TypeVar("Handler", bound=Callable[[Event], Any])

# Whose part in a trace helps nobody: this package, what imports modules, and what a component begins with.
_UNTOLD = (str(PurePath(__file__).parent), str(PurePath(importlib.__file__).parent), "<frozen importlib", "/0/")


class App:
    """A plugin: its name, its handlers and what it asks for."""

    def __init__(self, name: str, *, version: str = "0.0.0") -> None:
        if not is_name(name):
            raise ValueError(f"{name!r}: the name of a plugin is 1 to 64 lower-case letters, digits, `-` and `_`")
        self.name = name
        self.version = version
        self.asks: list[Ask] = []
        self._handlers: list[_Handler] = []
        self._responders: list[_Handler] = []

    @property
    def subscriptions(self) -> list[str]:
        """The patterns of all handlers."""
        return [pattern for handler in self._handlers for pattern in handler.patterns]

    @property
    def responds(self) -> bool:
        """Whether it answers senders."""
        return bool(self._responders)

    def on_webhook(self, patterns: str | Iterable[str]) -> Callable[[Handler], Handler]:
        """Calls the decorated function, `def` or `async def`, with each event that a pattern matches.

        A pattern is `type` or `source:type`, where the left side is the name of a source or of a provider and `*` stands
        for any characters: `file.ready`, `comment.*`, `github:push`. The first handler with a pattern that matches runs.
        """
        if callable(patterns):
            raise TypeError('say which webhooks: @app.on_webhook("file.ready")')
        patterns = _several(patterns)
        for pattern in patterns:
            why = mistake(pattern)
            if why is None and pattern in self.subscriptions:
                why = "another handler has this pattern already"
            if why:
                raise ValueError(f"{pattern!r}: {why}")
        return _registering(self._handlers, patterns)

    def respond(self, patterns: str | Iterable[str]) -> Callable[[Handler], Handler]:
        """Calls the decorated function with each event that a pattern matches and whose sender waits for an answer.

        It returns the `Response` that the sender gets. The operator says which source waits for which plugin.
        """
        if callable(patterns):
            raise TypeError('say to what: @app.respond("frameio:*")')
        patterns = _several(patterns)
        for pattern in patterns:
            self._ask(_ask.ask_to_reply(pattern))
        return _registering(self._responders, patterns)

    def setting(self, key: str, *, default: Any = None, about: str = "", type: Type | None = None) -> None:
        """Asks the operator for a setting. Without a default it must be granted before the plugin runs.

        Its type is `text`, `integer`, `number`, `boolean` or `json`. Read it in a handler, with `setting(key)` of this
        package.
        """
        ask = _ask.ask_for_setting(key, default, about, type)
        self._ask(ask)
        _host.asked[key] = ask

    def host(
        self,
        name: str,
        *,
        about: str = "",
        methods: str | Iterable[str] = (),
        credential: Credential | None = None,
        optional: bool = False,
    ) -> None:
        """Asks for requests to a host: its name, `*.example.com` for all below it, `*` for those that the operator names.

        `credential` tells that the host wants a secret, which the operator gives to the gateway: `bearer`, `basic` or
        `header`. What is optional, here and below, the plugin runs without too. Use it with `hookgate_plugin.http`.
        """
        self._ask(_ask.ask_for_host(name, about, methods, credential, optional))

    def uses_state(self, *, about: str = "", optional: bool = False) -> None:
        """Asks for a memory from one event to the next. Use it with `hookgate_plugin.state`."""
        self._ask(_ask.ask_for_state(about, optional))

    def emits(self, pattern: str, *, about: str = "", optional: bool = False) -> None:
        """Asks to make events of the types that a pattern matches. Make them with `emit` of this package."""
        self._ask(_ask.ask_to_emit(pattern, about, optional))

    def handle(self, event: Event) -> None:
        """Gives an event to the first handler, in order of writing, with a pattern that matches it."""
        # One that nobody has is older than the plugin's present subscriptions.
        _call(self._handlers, event, "handler")

    def answer(self, event: Event) -> Response:
        """Gives an event to the first responder, in order of writing, with a pattern that matches it."""
        answer = _call(self._responders, event, "responder")
        if not isinstance(answer, Response):
            raise TypeError(f"a responder returns a Response, not {answer!r:.100}")
        return answer

    def outcome(self, event: Event) -> Outcome:
        """Handles an event and tells what became of it, whatever happens."""
        return _outcome(self.handle, event)

    def answered(self, event: Event) -> Outcome:
        """Answers an event and tells what became of it, whatever happens."""
        return _outcome(self.answer, event)

    def _ask(self, ask: Ask) -> None:
        if any((ask.what, ask.name) == (known.what, known.name) for known in self.asks):
            raise ValueError(f"{ask.name!r}: the plugin asks for this {ask.what} already")
        self.asks.append(ask)


@dataclass(frozen=True)
class _Handler:
    """A function of the author's, and what it is for."""

    patterns: Sequence[str]
    run: Callable[[Event], Any]

    def takes(self, event: Event) -> bool:
        return any(matches(pattern, event.source, event.provider, event.type) for pattern in self.patterns)


def _several(patterns: str | Iterable[str]) -> Sequence[str]:
    return (patterns,) if isinstance(patterns, str) else tuple(patterns)


def _registering(handlers: list[_Handler], patterns: Sequence[str]) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        handlers.append(_Handler(patterns, handler))
        return handler

    return register


def _call(handlers: list[_Handler], event: Event, kind: str) -> Any:
    for handler in handlers:
        if handler.takes(event):
            result = handler.run(event)
            return run(result) if inspect.iscoroutine(result) else result
    raise Reject(f"no {kind} for {event.type}")


def _outcome(work: Callable[[Event], Response | None], event: Event) -> Outcome:
    try:
        return Outcome(answer=work(event))
    except BaseException as error:  # Also SystemExit: a plugin that says exit() has not done its work.
        if not is_meant(error):
            logging.getLogger().error("%s", trace(error))
        return outcome_of(error)


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
