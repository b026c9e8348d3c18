"""What runs inside the component: the gateway calls `Plugin`, which is made once, while the component is built."""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import BuiltinImporter, FrozenImporter
from types import ModuleType
from typing import Any

from componentize_py_types import Err  # type: ignore[import-not-found]
from wit_world.exports import handler as wit  # type: ignore[import-not-found]
from wit_world.imports import log, settings  # type: ignore[import-not-found]

from . import _host, _snapshot
from ._app import App, trace
from ._event import Event
from ._log import Level, Log

_LEVELS = {level.name.lower(): level for level in log.Level}

# Where the author's folder is while the component is built, which is what traces name.
_FOLDER = "/1/"


class Mistake(Exception):
    """What an author should change."""


class Plugin:
    """What the gateway calls."""

    def __init__(self, module: str, said: list[str]) -> None:
        self._called = False
        self._said = said
        self._log = Log(self._write)
        self._log.install()
        _host.read_setting = self._read_setting
        self._app = _app_of(importlib.import_module(module))
        self._log.end()
        _snapshot.settle(_FOLDER)

    @property
    def name(self) -> str:
        """What the author calls it."""
        return self._app.name

    def describe(self) -> wit.Manifest:
        """Says what the plugin is, what it subscribes to and what it asks for."""
        self._begin()
        subscriptions = [_utf8(pattern) for pattern in self._app.subscriptions]
        asks = []
        for setting in self._app.settings:
            default = [] if setting.default is None else [("default", _utf8(setting.default))]
            asks.append(wit.Ask("setting", _utf8(setting.key), [("about", _utf8(setting.about)), *default]))
        return wit.Manifest(self._app.name, _utf8(self._app.version), subscriptions, asks)

    def handle(self, event: wit.Event) -> None:
        """Handles one event."""
        self._begin()
        fields = (event.id, event.source, event.provider, event.type, event.received_at_ms, event.attempt)
        outcome = self._app.outcome(Event(*fields, dict(event.attributes), event.payload))
        self._log.end()
        if outcome.kind == "reject":
            raise Err(wit.Failure_Reject(_utf8(outcome.why)))
        if outcome.kind == "retry":
            raise Err(wit.Failure_Retry(wit.Retry(_utf8(outcome.why), outcome.after_ms)))

    def _begin(self) -> None:
        if not self._called:
            self._called = True
            sys.meta_path[:] = [BuiltinImporter, FrozenImporter, _NotThere]

    def _write(self, level: Level, line: str) -> None:
        if self._called:
            log.log(_LEVELS[level], _utf8(_shorter(line)))
        else:
            self._said.append(f"{level}: {line}")

    def _read_setting(self, key: str) -> str | None:
        if not self._called:
            raise RuntimeError("a setting can be read in a handler only: no operator has granted any yet")
        value: str | None = settings.get(_utf8(key))
        return value


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
    if not app.subscriptions:
        raise Mistake(f'{module.__name__}.py has no handler: @app.on_webhook("file.ready") stands over a function')
    return app


def _shorter(trace: str) -> str:
    """A trace in which the author's files have the names that the author knows."""
    return trace.replace(f'File "{_FOLDER}', 'File "')


def _utf8(text: str) -> str:
    """Halves of surrogate pairs, which JSON can bring, cannot be written as UTF-8."""
    return text.encode(errors="backslashreplace").decode()
