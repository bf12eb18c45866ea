"""The output: stderr for eyes, stdout for pipes. A reader that went away never stops a copy.

Nothing but printable characters leaves here, and line breaks where dynaferry ends a line: names,
keys and the words of a service are not to steer a terminal, nor to forge a line.
"""

import os
import sys
from collections.abc import Iterable, Mapping
from typing import TextIO

from dynaferry.shared.printable import printable, printable_json


def say(line: str) -> None:
    """Writes one line for eyes to stderr, as long as anything takes it."""
    try:
        _write(sys.stderr, printable(line))
    except OSError:
        _let_go_of(sys.stderr)


def say_event(message: str, fields: Mapping[str, object]) -> None:
    """Writes one line for eyes to stderr; where stderr is a log in JSON, an event with `fields`."""
    as_event = getattr(sys.stderr, "event_line", None)
    say(message if as_event is None else as_event(message, fields))


def says_events() -> bool:
    """Whether stderr is a log in JSON, whose lines have fields."""
    return hasattr(sys.stderr, "event_line")


def say_prose(line: str) -> None:
    """Writes a sentence for eyes to stderr; on a terminal no word of it is cut in two.

    One with a command in it is left whole, so that it can be copied.
    """
    from dynaferry.observe.formatting import wrapped  # not for --help

    for part in wrapped(line, width(), indent=2):
        say(part)


def print_lines(lines: Iterable[str]) -> None:
    """Writes a command's result to stdout, as lines for people.

    :raises OSError: they cannot be written (disk full); a reader that went away is no error
    """
    _print("\n".join(printable(line) for line in lines))


def print_document(json: str) -> None:
    """Writes a command's result to stdout, as JSON or a part of it.

    :raises OSError: it cannot be written (disk full); a reader that went away is no error
    """
    _print(printable_json(json))


def _print(text: str) -> None:
    try:
        _write(sys.stdout, text)
    except (BrokenPipeError, ConnectionResetError):
        _let_go_of(sys.stdout)


def print_bytes(json_lines: bytes) -> None:
    """Writes JSON to stdout as UTF-8, whatever its encoding.

    :raises OSError: they cannot be written (disk full); a reader that went away is no error
    """
    try:
        sys.stdout.buffer.write(printable_json(json_lines.decode("utf-8", "replace")).encode())
        sys.stdout.buffer.flush()
    except (BrokenPipeError, ConnectionResetError):
        _let_go_of(sys.stdout)


def is_live_terminal() -> bool:
    """Whether stderr is a terminal on which a display can be redrawn in place."""
    return sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def width() -> int | None:
    """The columns of the terminal that stderr is; None where it is none: nothing is cut there."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or None
    except (OSError, ValueError):  # no terminal, or no file at all
        return None


def open_closed_streams() -> None:
    """Opens the null device for each standard stream that the process was started without.

    Otherwise the next file that is opened would take its number, and its output.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free is the one that is missing.
            os.open(os.devnull, os.O_RDWR)
    # Python has None for a stream that was closed when it started.
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def flush() -> None:
    """Flushes stdout, so that a pipe closed early is met here and not while Python shuts down."""
    try:
        sys.stdout.flush()
    except OSError:
        _let_go_of(sys.stdout)


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text + "\n")
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    stream.flush()


def _let_go_of(stream: TextIO) -> None:
    """Points a stream whose reader is gone to nowhere; what it still buffers goes there too."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    except OSError:
        return
    finally:
        os.close(nowhere)
