"""What runs inside the component: the gateway calls `Plugin`, which is made once, while the component is built."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from importlib.machinery import BuiltinImporter, FrozenImporter
from types import ModuleType
from typing import Any

from componentize_py_types import Err  # type: ignore[import-not-found]
from wit_world.exports import handler as wit  # type: ignore[import-not-found]
from wit_world.imports import log, settings  # type: ignore[import-not-found]

from . import _host, _snapshot
from ._app import App, trace
from ._event import Event
from ._failure import Outcome
from ._gateway import Gateway
from ._log import Level, Log
from ._values import as_text, as_texts

try:
    from wit_world.exports import responder
except ImportError:  # In the other world there is none.
    responder = None

_LEVELS = {level.name.lower(): level for level in log.Level}

# Where the author's folder is while the component is built, which is what traces name.
_FOLDER = "/1/"


class Mistake(Exception):
    """What an author should change."""


class OtherWorld(Exception):
    """The component is built for a world that is not the app's."""


class Plugin:
    """What the gateway calls."""

    def __init__(self, module: str, said: list[str]) -> None:
        self._called = False
        self._said = said
        self._log = Log(self._write)
        self._log.install()
        self._gateway = Gateway()
        _host.read_setting, _host.powers = self._read_setting, self._powers
        self._app = _app_of(importlib.import_module(module))
        self._log.end()
        if self._app.responds != (responder is not None):
            raise OtherWorld
        _snapshot.settle(_FOLDER)

    @property
    def name(self) -> str:
        """What the author calls it."""
        return self._app.name

    def describe(self) -> wit.Manifest:
        """Says what the plugin is, what it subscribes to and what it asks for."""
        self._begin()
        subscriptions = [as_text(pattern) for pattern in self._app.subscriptions]
        asks = [wit.Ask(ask.what, as_text(ask.name), list(as_texts(ask.detail).items())) for ask in self._app.asks]
        return wit.Manifest(self._app.name, as_text(self._app.version), subscriptions, asks)

    def handle(self, event: wit.Event) -> None:
        """Handles one event."""
        self._outcome(self._app.outcome, event)

    def respond(self, event: wit.Event) -> Any:
        """Answers the sender of one."""
        answer = self._outcome(self._app.answered, event).answer
        return answer and responder.Answer(answer.status, list(answer.headers.fields), answer.body)

    def _outcome(self, call: Callable[[Event], Outcome], event: wit.Event) -> Outcome:
        self._begin()
        fields = (event.id, event.source, event.provider, event.type, event.received_at_ms, event.attempt)
        outcome = call(Event(*fields, dict(event.attributes), event.payload))
        self._log.end()
        if outcome.kind == "reject":
            raise Err(wit.Failure_Reject(as_text(outcome.why)))
        if outcome.kind == "retry":
            raise Err(wit.Failure_Retry(wit.Retry(as_text(outcome.why), outcome.after_ms)))
        return outcome

    def _begin(self) -> None:
        if not self._called:
            self._called = True
            sys.meta_path[:] = [BuiltinImporter, FrozenImporter, _NotThere]

    def _write(self, level: Level, line: str) -> None:
        if self._called:
            log.log(_LEVELS[level], as_text(_shorter(line)))
        else:
            self._said.append(f"{level}: {line}")

    def _read_setting(self, key: str) -> str | None:
        self._granted_by_now("a setting can be read")
        value: str | None = settings.get(as_text(key))
        return value

    def _powers(self) -> Gateway:
        self._granted_by_now("a power can be used")
        return self._gateway

    def _granted_by_now(self, what: str) -> None:
        if not self._called:
            raise RuntimeError(f"{what} in a handler only: no operator has granted any yet")


class _NotThere:
    """Says why a module cannot be had: there are no files when the gateway calls."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> None:
        raise ModuleNotFoundError(f"the component has no module {name!r}: import it at the top of a file", name=name)


def told(error: BaseException) -> str:
    """What an author reads when there can be no component."""
    return str(error) if isinstance(error, Mistake) else _shorter(trace(error))


def _app_of(module: ModuleType) -> App:
    apps = {id(value): value for value in vars(module).values() if isinstance(value, App)}
    if len(apps) != 1:
        raise Mistake(f'{module.__name__}.py has {len(apps)} apps, not one: app = App("name", version="0.1.0")')
    (app,) = apps.values()
    if not (app.subscriptions or app.responds):
        raise Mistake(f'{module.__name__}.py has no handler: @app.on_webhook("file.ready") stands over a function')
    return app


def _shorter(trace: str) -> str:
    """A trace in which the author's files have the names that the author knows."""
    return trace.replace(f'File "{_FOLDER}', 'File "')
