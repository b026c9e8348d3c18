"""Runs a handler that is `async def`, without an event loop's I/O, which a plugin has no use for."""

from __future__ import annotations

import sys
from collections.abc import Coroutine
from typing import Any


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Runs it to its end. Where nobody imported asyncio there is nothing to wait for, and no loop is needed."""
    if "asyncio" in sys.modules:
        from ._loop import Loop

        loop = Loop()
        try:
            return loop.run_until_complete(coroutine)
        finally:
            loop.close()
    try:
        while True:
            coroutine.send(None)
    except StopIteration as end:
        return end.value
