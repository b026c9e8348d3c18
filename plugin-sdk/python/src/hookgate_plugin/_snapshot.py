"""What is done once, just before the component's memory is kept, so that each call finds it ready.

Every call begins in a copy of that memory, and every page that it writes to is copied. So what can be done before is done
here, and what will be written lies close together.
"""

from __future__ import annotations

import ast
import gc
import importlib
import importlib.util
import linecache
import logging
import sys
from collections.abc import Iterator
from contextlib import suppress
from types import ModuleType
from typing import Any

from ._app import App, trace
from ._event import Event
from ._failure import Reject
from ._log import Log

# What is imported after this: by the component around the plugin, and by the standard library where it is first used.
_ON_USE = ["random", "_strptime"]
_ON_USE += ["encodings.ascii", "encodings.cp1252", "encodings.latin_1", "encodings.unicode_escape"]
_ON_USE += ["encodings.utf_16", "encodings.utf_16_be", "encodings.utf_16_le", "encodings.utf_32", "encodings.utf_8_sig"]

# Kept for ever.
_filled: list[bytes] = []


def settle(folder: str) -> None:
    """Is called when the author's modules, those below a folder, are imported."""
    _import_on_use(folder)
    _tell_of_no_network()
    _log_less()
    _warm_up()
    gc.collect()
    _fill_holes()
    # What is there by now lives as long as the component: no collection need look at it again.
    gc.freeze()


def _import_on_use(folder: str) -> None:
    """Imports what would be imported in a call: by the author's functions, and where the standard library is known to."""
    seen: set[str] = set()
    while fresh := [module for module in _modules_in(folder) if module.__name__ not in seen]:
        for module in fresh:
            seen.add(module.__name__)
            for name in _imported_in_functions(module):
                _import_if_there(name)
    if "asyncio" in sys.modules:
        importlib.import_module("hookgate_plugin._loop")
    for name in _ON_USE:
        importlib.import_module(name)


def _modules_in(folder: str) -> list[ModuleType]:
    return [
        module for module in list(sys.modules.values()) if str(getattr(module, "__file__", None)).startswith(folder)
    ]


def _imported_in_functions(module: ModuleType) -> Iterator[str]:
    nodes = ast.walk(ast.parse("".join(_kept_lines(str(module.__file__)))))
    functions = [node for node in nodes if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    for node in (node for function in functions for node in ast.walk(function)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            name = importlib.util.resolve_name("." * node.level + (node.module or ""), module.__package__)
            yield name
            yield from (f"{name}.{alias.name}" for alias in node.names)


def _kept_lines(file: str) -> list[str]:
    """The lines of a file, which are kept for traces: without a time they are not compared with the file again."""
    lines = linecache.getlines(file)
    linecache.cache[file] = (0, None, lines, file)
    return lines


def _import_if_there(name: str) -> None:
    # Where it is needed, it is missed then.
    with suppress(Exception):
        importlib.import_module(name)


def _tell_of_no_network() -> None:
    """Has `urllib` and its like say what to do in their place. They would end in an error that only puzzles."""
    if "socket" in sys.modules:
        sys.modules["socket"].__dict__["getaddrinfo"] = _no_network


def _no_network(*_: Any, **__: Any) -> None:
    raise OSError("a plugin has no sockets: send requests with hookgate_plugin.http")


def _log_less() -> None:
    """Leaves out of log records what no line shows, in the ways that the documentation of `logging` names."""
    for name in ("logThreads", "logProcesses", "logMultiprocessing", "logAsyncioTasks"):
        setattr(logging, name, False)
    logging._srcfile = None


def _warm_up() -> None:
    """Runs what every call runs, so that the interpreter has adapted to it and need not begin to in each copy."""
    app = App("warm-up")

    @app.on_webhook("warm-up:*.up")
    def handler(event: Event) -> None:
        logging.info("%s %s %d", event.resource_id, event.user_id, event.attempt)
        logging.warning("up")
        print(event.type)
        if event.attempt % 2:
            raise Reject("odd")

    log = Log(lambda level, line: None)
    with log.installed():
        for attempt in range(40):
            app.outcome(Event("evt_0", "source", "warm-up", "warm.up", 0, attempt, {"resource.id": "1"}, b"{}"))
            log.end()
        trace(ValueError("up"))


def _fill_holes() -> None:
    """Takes all memory that was used and is free again, and fills it with zeros, for ever.

    What it held need not be in the file, and what a call allocates then lies together behind it.
    """
    end = max(map(id, gc.get_objects()))
    for size in [*(1 << bits for bits in range(20, 11, -1)), *range(4080, 1, -8)]:
        while id(hole := bytes(size)) < end:
            _filled.append(hole)
