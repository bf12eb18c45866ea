"""stderr for eyes, stdout for pipes. A reader that went away never stops a copy."""

import os
import sys
from typing import TextIO


def say(text: str) -> None:
    """Writes a line for eyes to stderr."""
    _write(sys.stderr, text)


def print_document(text: str) -> None:
    """Writes what the command was asked for to stdout."""
    _write(sys.stdout, text)


def is_live_terminal() -> bool:
    """Whether stderr is a terminal on which a display can be redrawn in place."""
    return sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def flush() -> None:
    """Flushes stdout, so that a pipe closed early is met here and not while Python shuts down."""
    try:
        sys.stdout.flush()
    except OSError:
        _let_go_of(sys.stdout)


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text + "\n")
        stream.flush()
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
    except OSError:
        _let_go_of(stream)


def _let_go_of(stream: TextIO) -> None:
    """Points a stream whose reader is gone to nowhere; what it still buffers goes there too."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    except OSError:
        return
    finally:
        os.close(nowhere)
