"""The log of a run: one event a line, as text or as JSON, to stderr.

Events name run, table and segment, and what happened to them; never an item, a key of one, or a
credential: only the fields here are ever written. In JSON everything that goes to stderr is, what
is meant for eyes as well, so that a log collector understands every line.
"""

import io
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TextIO

from pythonjsonlogger.core import RESERVED_ATTRS, LogData
from pythonjsonlogger.msgspec import MsgspecFormatter

from dynaferry.shared.printable import printable, printable_json

ROOT: Final = "dynaferry"
# What an event may carry, by `extra`.
FIELDS: Final = (
    "run",
    "event",
    "attempt",
    "status",
    "state",
    "table",
    "source",
    "target",
    "side",
    "segment",
    "operation",
    "outcome",
    "reason",
    "error",
    "hint",
    "seconds",
    "items",
    "items_read",
    "items_written",
    "items_rejected",
    "items_filtered",
    "expected_items",
    "items_per_second",
    "bytes",
    "bytes_per_second",
    "percent",
    "eta_seconds",
    "rcu",
    "wcu",
    "rcu_per_second",
    "wcu_per_second",
    "throttled_percent",
    "throttled_requests",
    "retried_requests",
    "segments_total",
    "segments_complete",
    "differences",
    "unconfirmed",
    "lag_seconds",
    "changes_in_per_second",
    "changes_out_per_second",
    "spool_rows",
    "gaps",
    "doubts",
    "late_writes",
    "ready",
    "tables",
    "tables_total",
    "tables_complete",
    "step",
    "commands",
    "stacks",
)
# What an event is called that is a line for eyes and nothing more, and one that has no name.
_LINE: Final = "message"
_UNNAMED: Final = "log"
_ERROR_PREFIXES: Final = ("error: ", "internal error: ")


@dataclass(slots=True)
class LogRun:
    """The run that a log is about; None until it is known."""

    name: str | None = None


class LogHandler(logging.Handler):
    """Gives each event to `write`, as one line. No other handler is to see an event after it."""

    def __init__(self, write: Callable[[str], None], run: LogRun, *, as_json: bool) -> None:
        super().__init__()
        self._write = write
        self.addFilter(OnlyFields(run))
        self.setFormatter(JsonEvent() if as_json else TextEvent())

    def emit(self, record: logging.LogRecord) -> None:
        """Writes one event as one line."""
        self._write(self.format(record))


class OnlyFields(logging.Filter):
    """Takes from an event all that is not among the FIELDS, and names the run."""

    def __init__(self, run: LogRun) -> None:
        super().__init__()
        self._run = run

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets every event through, with a message that is text and without a traceback."""
        carried = record.__dict__
        fields = {name: carried[name] for name in FIELDS if name in carried}
        for name in carried.keys() - RESERVED_ATTRS:
            del carried[name]
        carried.update({"run": self._run.name} | fields)
        record.msg, record.args = record.getMessage(), None
        record.exc_info = record.exc_text = record.stack_info = None
        return True


class TextEvent(logging.Formatter):
    """An event as text on one line."""

    def format(self, record: logging.LogRecord) -> str:
        """The moment, the level, the message, and the fields."""
        carried = record.__dict__
        fields = " ".join(f"{name}={carried[name]}" for name in FIELDS if name in carried)
        level = record.levelname.lower()
        return printable(f"{_moment(record.created)} {level} {record.getMessage()} {fields}")


class JsonEvent(MsgspecFormatter):
    """An event as one JSON object on one line."""

    def __init__(self) -> None:
        super().__init__(
            ("asctime", "levelname", "message"),
            rename_fields={"asctime": "time", "levelname": "level"},
            json_default=str,
        )

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """The moment in UTC, to the millisecond."""
        return _moment(record.created)

    def process_log_record(self, log_data: LogData) -> LogData:
        """The level as it is typed, and what the event is called in any case."""
        event = log_data.get("event", _UNNAMED)
        return log_data | {"level": log_data["level"].lower(), "event": event}

    def serialize_log_record(self, log_data: LogData) -> str:
        """Escapes whatever is not printable."""
        return printable_json(super().serialize_log_record(log_data))


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
        self._event = JsonEvent()
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
        if line.startswith(_ERROR_PREFIXES):
            return self.event_line(line, {"event": "error"})
        return self.event_line(line, {"event": _LINE})

    def event_line(self, message: str, fields: Mapping[str, object]) -> str:
        """An event with these of the FIELDS that are known, as a line of JSON."""
        level = "error" if fields.get("event") == "error" else "info"
        event = {"created": self._clock(), "levelname": level, "msg": message}
        carried = {name: fields[name] for name in FIELDS if fields.get(name) is not None}
        return self._event.format(logging.makeLogRecord(event | {"run": self._run.name} | carried))

    def flush(self) -> None:
        """Flushes the stream below."""
        self._stream.flush()

    def fileno(self) -> int:
        """The number of the stream below."""
        return self._stream.fileno()

    def isatty(self) -> bool:
        """Never: nothing is redrawn in place."""
        return False
