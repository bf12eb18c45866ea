"""A reader that went away never stops a copy, and never shows a traceback."""

import errno
import io
import json
import os
import sys
from collections.abc import Callable

import pytest

from dynaferry.cli import screen


class _ClosedPipe(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")

    def flush(self) -> None:
        raise BrokenPipeError(32, "Broken pipe")


def test_eyes_that_are_gone_are_not_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = _ClosedPipe()
    monkeypatch.setattr(sys, "stderr", gone)
    screen.say("still copying")
    assert gone.getvalue() == ""


ODD = "\x1b[2J\x9b1m\u202e\u2028\x00\ud83d\U000e0001 \nerror: forged\r"


def test_a_line_for_eyes_holds_printable_characters_and_ends_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    screen.say(f"orders: {ODD}")
    screen.print_lines([ODD, "orders → orders"])
    said = capsys.readouterr()
    assert said.err == (
        r"orders: \x1b[2J\x9b1m\u202e\u2028\x00\ud83d\U000e0001 \nerror: forged\r" + "\n"
    )
    assert said.out.splitlines() == [said.err.strip().removeprefix("orders: "), "orders → orders"]


@pytest.mark.parametrize(
    "print_it", [screen.print_document, lambda d: screen.print_bytes(d.encode())]
)
def test_a_document_means_the_same_and_holds_printable_characters(
    capsysbinary: pytest.CaptureFixture[bytes], print_it: Callable[[str], None]
) -> None:
    value = [ODD.replace("\ud83d", ""), "\U0001f600\xa0→"]
    raw = json.dumps(value, ensure_ascii=False, indent=1)
    print_it(raw)
    out = capsysbinary.readouterr().out.decode()
    assert json.loads(out) == value
    assert out.replace("\n", "").isprintable()


def test_a_pipe_that_is_gone_is_not_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = _ClosedPipe()
    monkeypatch.setattr(sys, "stdout", gone)
    screen.print_document("{}")
    screen.flush()
    assert gone.getvalue() == ""


def test_what_a_terminal_cannot_show_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(raw, encoding="ascii"))
    screen.say("orders → orders")
    sys.stderr.flush()
    assert raw.getvalue() == b"orders ? orders\n"


@pytest.mark.parametrize(
    ("is_terminal", "kind", "live"),
    [(True, "xterm", True), (True, "dumb", False), (True, "", False), (False, "xterm", False)],
)
def test_a_display_is_redrawn_only_where_that_works(
    monkeypatch: pytest.MonkeyPatch, is_terminal: bool, kind: str, live: bool
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal, raising=False)
    monkeypatch.setitem(os.environ, "TERM", kind)
    assert screen.is_live_terminal() is live


class _FullDisk(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_document_for_a_full_disk_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", _FullDisk())
    with pytest.raises(OSError, match="No space left"):
        screen.print_document("{}")


def test_words_for_a_full_disk_stop_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    full = _FullDisk()
    monkeypatch.setattr(sys, "stderr", full)
    screen.say("still copying")
    assert full.getvalue() == ""
