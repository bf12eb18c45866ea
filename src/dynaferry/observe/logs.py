"""The log of a run: one event a line, as text or as JSON, to stderr.

Events name run, table and segment, and what happened to them; never an item, a key of one, or a
credential: only the fields here are ever written. In JSON everything that goes to stderr is, what
is meant for eyes as well, so that a log collector understands every line.
"""

import io
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TextIO

import msgspec

from dynaferry.shared.printable import printable, printable_json

ROOT: Final = "dynaferry"
# What an event may carry, by `extra`.
FIELDS: Final = (
    "run",
    "attempt",
    "status",
    "source",
    "target",
    "segment",
    "operation",
    "outcome",
    "error",
    "seconds",
    "items",
    "stacks",
)
_ERROR_PREFIXES: Final = ("error: ", "internal error: ")


@dataclass(slots=True)
class LogRun:
    """The run that a log is about; None until it is known."""

    name: str | None = None


class LogHandler(logging.Handler):
    """Gives each event to `write`, as one line."""

    def __init__(self, write: Callable[[str], None], run: LogRun, *, as_json: bool) -> None:
        super().__init__()
        self._write = write
        self._run = run
        self._as_json = as_json

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one event as one line."""
        fields: dict[str, object] = {"run": self._run.name}
        for name in FIELDS:
            if name in record.__dict__:
                fields[name] = record.__dict__[name]
        level, message = record.levelname.lower(), record.getMessage()
        if self._as_json:
            self._write(json_line(record.created, level, message, fields))
            return
        shown = " ".join(f"{name}={value}" for name, value in fields.items())
        self._write(printable(f"{_moment(record.created)} {level} {message} {shown}"))


def json_line(moment: float, level: str, message: str, fields: dict[str, object]) -> str:
    """An event as one JSON object on one line."""
    event = {"time": _moment(moment), "level": level, "message": message, **fields}
    return printable_json(msgspec.json.encode(event, enc_hook=str).decode())


def _moment(moment: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
    return f"{whole}.{int(moment % 1 * 1000):03d}Z"


class JsonLines(io.TextIOBase):
    """A stream for eyes that makes each line an event in JSON. It is no terminal."""

    def __init__(
        self, stream: TextIO, run: LogRun, *, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__()
        self._stream = stream
        self._run = run
        self._clock = clock
        self._unfinished = ""

    def write(self, text: str) -> int:
        """Passes on the lines that are whole by now; one that is an event already, as it is."""
        *lines, self._unfinished = (self._unfinished + text).split("\n")
        for line in lines:
            if line:
                self._stream.write(self.as_written(line) + "\n")
        return len(text)

    def as_written(self, line: str) -> str:
        """The line as it is written to the stream below."""
        if line.startswith('{"time":'):
            return line
        level = "error" if line.startswith(_ERROR_PREFIXES) else "info"
        return json_line(self._clock(), level, line, {"run": self._run.name})

    def flush(self) -> None:
        """Flushes the stream below."""
        self._stream.flush()

    def fileno(self) -> int:
        """The number of the stream below."""
        return self._stream.fileno()

    def isatty(self) -> bool:
        """Never: nothing is redrawn in place."""
        return False
