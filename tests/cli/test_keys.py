"""The keys of the live display: what they do to a run, and that the terminal is left as it was."""

import os
import pty
import select
import sys
import termios
import time
import tty
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaferry.cli.keys import AT_THE_PLANS, NO_LIMIT, NOTHING_WRITTEN, RunKeys, stepped
from dynaferry.observe.stats import RunStats, TableStats
from dynaferry.state.sqlite.store import SqliteStore
from tests.state.contract import CREATED_AT, IDENTITY, SETTINGS

CHILD = Path(__file__).parent / "keyboard_child.py"
PATIENCE_SECONDS = 60.0


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.create(tmp_path, "r", IDENTITY, SETTINGS, "1", CREATED_AT)
    yield store
    await store.aclose()


def _keys(tmp_path: Path) -> tuple[RunKeys, list[str]]:
    stopped: list[str] = []
    return RunKeys(tmp_path, "r", lambda: stopped.append("asked")), stopped


async def test_p_pauses_and_lets_go_on(store: SqliteStore, tmp_path: Path) -> None:
    keys, stats = _keys(tmp_path)[0], RunStats("r")
    await keys.press("p", stats)
    assert (await store.read_controls()).paused_at is not None
    stats.paused = True
    await keys.press("p", stats)
    assert (await store.read_controls()).paused_at is None


async def test_minus_and_plus_step_the_limit_on_writes(store: SqliteStore, tmp_path: Path) -> None:
    keys, stats = _keys(tmp_path)[0], RunStats("r", write_cap_units=1_000.0)
    await keys.press("-", stats)
    assert (await store.read_controls()).max_write_units == 800.0
    stats.write_cap_units = 800.0
    await keys.press("+", stats)
    assert (await store.read_controls()).max_write_units == 1_000.0


async def test_a_key_changes_no_limit_that_a_schedule_has_now(
    store: SqliteStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is set counts before the schedule at any hour: by day the run would go on at night's."""
    stats = RunStats("r", write_cap_units=8_000.0, write_cap_is_scheduled=True)
    for key in ("-", "+"):
        await _keys(tmp_path)[0].press(key, stats)
    assert (await store.read_controls()).max_write_units is None
    assert capsys.readouterr().err.count("dynaferry set r --max-write-units N") == 2


async def test_no_key_raises_the_limit_above_that_of_the_plan(
    store: SqliteStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys, stats = (
        RunKeys(tmp_path, "r", lambda: None, 1_000.0),
        RunStats("r", write_cap_units=900.0),
    )
    await keys.press("+", stats)
    assert (await store.read_controls()).max_write_units == 1_000.0
    stats.write_cap_units = 1_000.0
    await keys.press("+", stats)
    assert (await store.read_controls()).max_write_units == 1_000.0
    assert AT_THE_PLANS in capsys.readouterr().err


async def test_the_first_limit_is_taken_from_what_is_written_now(
    store: SqliteStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = TableStats("orders", "orders", segments_total=8)
    keys, stats = _keys(tmp_path)[0], RunStats("r", [table])
    await keys.press("-", stats)
    await keys.press("+", stats)
    assert capsys.readouterr().err == f"{NOTHING_WRITTEN}\n{NO_LIMIT}\n"
    keys.measure(stats, 0.0)
    table.write_units = 5_000.0
    keys.measure(stats, 10.0)
    await keys.press("-", stats)
    assert (await store.read_controls()).max_write_units == 400.0


async def test_q_stops_as_a_signal_does_and_other_keys_do_nothing(
    store: SqliteStore, tmp_path: Path
) -> None:
    keys, stopped = _keys(tmp_path)
    before = await store.read_controls()
    for key in ("x", "P", "\x1b", " "):
        await keys.press(key, RunStats("r", write_cap_units=5.0))
    assert stopped == []
    await keys.press("q", RunStats("r"))
    assert stopped == ["asked"]
    assert await store.read_controls() == before


async def test_a_state_file_that_is_gone_is_said_and_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await _keys(tmp_path)[0].press("p", RunStats("r"))
    assert "there is no" in capsys.readouterr().err


@given(st.floats(0.02, 1e6))
def test_a_step_up_and_one_down_are_where_it_was(limit: float) -> None:
    again = stepped(stepped(limit, raised=False), raised=True)
    assert again == pytest.approx(limit, rel=0.02)
    assert stepped(limit, raised=False) < limit < stepped(limit, raised=True)


class _Child:
    """A process with a terminal of its own."""

    def __init__(self, *arguments: str) -> None:
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            command = [sys.executable, str(CHILD), *arguments]
            os.execv(sys.executable, command)  # noqa: S606  # all of it is ours
        self.told = ""

    def type(self, keys: str) -> None:
        os.write(self.terminal, keys.encode())

    def wait_for(self, words: str) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while words not in self.told:
            assert time.monotonic() < end, self.told
            if select.select([self.terminal], [], [], 1.0)[0]:
                self.told += os.read(self.terminal, 4096).decode()

    def modes(self) -> int:
        """Whether lines are put together, and what is typed is shown."""
        flags: int = termios.tcgetattr(self.terminal)[tty.LFLAG]
        return flags & (termios.ICANON | termios.ECHO)

    def wait_for_modes(self, modes: int) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while self.modes() != modes:
            assert time.monotonic() < end
            time.sleep(0.01)

    def ended(self) -> int:
        code = os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])
        os.close(self.terminal)
        return code


@pytest.mark.parametrize("arguments", [(), ("at once",)], ids=["by itself", "at once"])
def test_single_keys_are_heard_and_the_terminal_is_left_as_it_was(
    arguments: tuple[str, ...],
) -> None:
    child = _Child(*arguments)
    before = child.modes()
    child.wait_for("ready")
    assert "there" in child.told
    assert before
    assert child.modes() == 0
    child.type("p")
    child.wait_for("pressed p")
    child.type("\x1b[A")
    child.type("pasted words")
    time.sleep(0.1)
    child.type("+")
    child.wait_for("pressed +")
    assert child.told.count("pressed") == 2
    child.type("q")
    child.wait_for_modes(before)
    assert child.ended() == (3 if arguments else 0)
