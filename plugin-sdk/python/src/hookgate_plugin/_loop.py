"""An event loop whose tasks wait for each other and for time, and for nothing else."""

from __future__ import annotations

import asyncio
import time
from typing import Any


class _Clock:
    """Stands where another loop has its sockets."""

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("this handler waits for something that never comes: a plugin has no I/O")
        time.sleep(timeout)
        return []


class Loop(asyncio.BaseEventLoop):
    """Needs no socket pair, which a component does not have."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = _Clock()

    def _process_events(self, events: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass
