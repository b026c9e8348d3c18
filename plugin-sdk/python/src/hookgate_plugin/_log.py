"""How `logging` and `print` become lines of the gateway's log."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

Level = Literal["trace", "debug", "info", "warn", "error"]

Write = Callable[[Level, str], None]
"""Takes one line."""

# More than the gateway takes: it marks what it cuts.
_LINE_LENGTH = 9000


def level_of(number: int) -> Level:
    """The gateway's level for one of `logging`."""
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warn"
    if number >= logging.INFO:
        return "info"
    return "debug" if number >= logging.DEBUG else "trace"


class Handler(logging.Handler):
    """Writes what is logged, line by line."""

    def __init__(self, write: Write) -> None:
        super().__init__(logging.NOTSET)
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        try:
            plain = not (self.formatter or record.exc_info or record.stack_info)
            lines = (record.getMessage() if plain else self.format(record)).splitlines()
        except Exception:
            self.handleError(record)
            return
        for line in lines or [""]:
            self._write(level_of(record.levelno), line[:_LINE_LENGTH])


class _Lines(io.RawIOBase):
    """Standard output or error: each line that is written to it is one of the log."""

    def __init__(self, write: Write, level: Level) -> None:
        super().__init__()
        self._write, self._level, self._begun = write, level, b""

    def writable(self) -> bool:
        return True

    def write(self, data: bytes, /) -> int:  # type: ignore[override]
        *lines, self._begun = (self._begun + bytes(data)).split(b"\n")
        for line in lines:
            self._say(line)
        return len(data)

    def end(self) -> None:
        """Says the line that was begun and not ended."""
        line, self._begun = self._begun, b""
        if line:
            self._say(line)

    def _say(self, line: bytes) -> None:
        self._write(self._level, line.decode(errors="replace")[:_LINE_LENGTH])


class Log:
    """Where all lines of a plugin go, whichever way they are written."""

    def __init__(self, write: Write) -> None:
        self._handler = Handler(write)
        self._out, self._err = _Lines(write, "info"), _Lines(write, "warn")

    def install(self) -> None:
        """Takes over the root logger, standard output and standard error."""
        root = logging.getLogger()
        root.handlers = [self._handler]
        # All levels are sent: the gateway decides which are shown.
        root.setLevel(1)
        sys.stdout, sys.stderr = _text(self._out), _text(self._err)

    def end(self) -> None:
        """Is called after each event."""
        self._out.end()
        self._err.end()

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Takes over and gives back."""
        root = logging.getLogger()
        before = root.handlers, root.level, sys.stdout, sys.stderr
        self.install()
        try:
            yield
        finally:
            self.end()
            root.handlers, sys.stdout, sys.stderr = before[0], before[2], before[3]
            root.setLevel(before[1])


def _text(lines: _Lines) -> io.TextIOWrapper:
    # Written through at once, so that printed and logged lines keep their order.
    return io.TextIOWrapper(lines, encoding="utf-8", errors="backslashreplace", newline="\n", write_through=True)  # type: ignore[arg-type]
