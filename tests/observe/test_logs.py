import io
import json
import logging
from collections.abc import Iterator

import pytest

from dynaferry.observe.logs import JsonLines, LogHandler, LogRun

MOMENT = 1_700_000_000.25
TIME = "2023-11-14T22:13:20.250Z"


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("test-of-logs")
    logger.setLevel(logging.DEBUG)
    yield logger
    logger.handlers.clear()


def test_an_event_in_json_is_one_object_with_its_run_and_segment(logger: logging.Logger) -> None:
    lines: list[str] = []
    logger.addHandler(LogHandler(lines.append, LogRun("orders"), as_json=True))
    logger.info("segment\ndone", extra={"segment": 12, "item": "a secret"})
    [line] = lines
    event = json.loads(line)
    assert "\n" not in line
    assert event.pop("time").endswith("Z")
    assert event == {
        "level": "info",
        "message": "segment\ndone",
        "run": "orders",
        "event": "log",
        "segment": 12,
    }


def test_an_event_in_text_is_one_line(logger: logging.Logger) -> None:
    lines: list[str] = []
    logger.addHandler(LogHandler(lines.append, LogRun("orders"), as_json=False))
    logger.warning("request\nfailed", extra={"operation": "Scan"})
    assert len(lines) == 1
    assert lines[0].endswith(" warning request\\nfailed run=orders operation=Scan")


@pytest.mark.parametrize("as_json", [True, False])
def test_no_event_steers_a_terminal_or_forges_a_line(
    logger: logging.Logger, *, as_json: bool
) -> None:
    lines: list[str] = []
    logger.addHandler(LogHandler(lines.append, LogRun("orders"), as_json=as_json))
    logger.info("x", extra={"error": "\x9b2J\u202e\x1b[2J\nerror: forged \U000e0001"})
    [line] = lines
    assert line.isprintable()
    if as_json:
        assert json.loads(line)["error"] == "\x9b2J\u202e\x1b[2J\nerror: forged \U000e0001"


def test_an_event_has_its_fields_beside_its_message_and_no_others() -> None:
    stream = JsonLines(io.StringIO(), LogRun("orders"), clock=lambda: MOMENT)
    line = stream.event_line("orders: 40%", {"event": "progress", "percent": 40.0, "key": "secret"})
    assert json.loads(line) == {
        "time": TIME,
        "level": "info",
        "message": "orders: 40%",
        "run": "orders",
        "event": "progress",
        "percent": 40.0,
    }
    assert stream.as_written(line) == line


def test_what_is_said_for_eyes_becomes_an_event_line_by_line() -> None:
    below = io.StringIO()
    stream = JsonLines(below, LogRun("orders"), clock=lambda: MOMENT)
    stream.write("resuming the run")
    assert below.getvalue() == ""
    stream.write(" orders\nerror: it is gone\n\n")
    stream.write('{"time":"now"}\n')
    first, second, third = below.getvalue().splitlines()
    assert json.loads(first) == {
        "time": TIME,
        "level": "info",
        "message": "resuming the run orders",
        "run": "orders",
        "event": "message",
    }
    assert [json.loads(second)[name] for name in ("level", "event")] == ["error", "error"]
    assert third == '{"time":"now"}'
    assert not stream.isatty()
