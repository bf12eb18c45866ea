"""Signals are counted wherever the process stands: a hang-up too, and before there is a loop."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import dynaferry
from dynaferry.cli import signals
from dynaferry.cli.interrupts import run_async
from dynaferry.cli.signals import Signals

SOURCE = Path(dynaferry.__file__).parents[1]
# A process that starts is interrupted at so many moments.
MOMENTS = int(os.environ.get("DYNAFERRY_TEST_MOMENTS", "12"))


class Ended(BaseException):
    """In the place of the end of the process."""


@pytest.fixture(autouse=True)
def an_end_that_can_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def end(code: int) -> None:
        raise Ended(code)

    monkeypatch.setattr(signals, "end_process", end)


def handler(*, clock: Callable[[], float] = lambda: 0.0) -> Signals:
    return Signals(clock=clock)


def test_where_nobody_listens_a_signal_interrupts_and_the_third_ends_the_process() -> None:
    told = handler()
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            told(signal.SIGTERM)
    with pytest.raises(Ended, match="130"):
        told(signal.SIGTERM)


def test_two_signals_reach_who_listens_and_the_third_ends_the_process() -> None:
    heard: list[int] = []
    told = handler()
    with told.heard_by(lambda: heard.append(1)):
        told(signal.SIGINT)
        told(signal.SIGTERM)
        with pytest.raises(Ended, match="130"):
            told(signal.SIGINT)
    assert heard == [1, 1]


def test_once_an_end_was_asked_for_nothing_is_interrupted_on_the_way_to_it() -> None:
    told = handler()
    with told.heard_by(lambda: None):
        told(signal.SIGINT)
    told(signal.SIGINT)
    with pytest.raises(Ended):
        told(signal.SIGINT)


def test_several_hangups_of_a_terminal_that_goes_away_are_one_signal() -> None:
    heard: list[float] = []
    now = 100.0
    told = handler(clock=lambda: now)
    with told.heard_by(lambda: heard.append(now)):
        for later in (0.0, 0.1, 1.5):
            now = 100.0 + later
            told(signal.SIGHUP)
        now = 110.0
        told(signal.SIGHUP)
    assert heard == [100.0, 110.0]


def test_an_interrupt_that_an_import_swallowed_comes_before_the_loop() -> None:
    told = handler()
    with told.installed():
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)

        async def body() -> None:
            raise AssertionError("it must not begin")

        with pytest.raises(KeyboardInterrupt):
            run_async(body)


@pytest.fixture
def handlers_as_they_were() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in signals.SIGNALS}
    yield
    for number, kept in before.items():
        signal.signal(number, kept)


@pytest.mark.usefixtures("handlers_as_they_were")
def test_a_hang_up_that_is_ignored_stays_ignored_and_what_was_in_place_comes_back() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    before = [signal.getsignal(number) for number in signals.SIGNALS]
    told = handler()
    with told.installed():
        assert signal.getsignal(signal.SIGTERM) is told
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    assert [signal.getsignal(number) for number in signals.SIGNALS] == before


def test_a_command_without_stages_ends_at_the_first_signal() -> None:
    async def body() -> None:
        import anyio

        os.kill(os.getpid(), signal.SIGTERM)
        await anyio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        run_async(body)


# While it starts -------------------------------------------------------------------------------


def started(tmp_path: Path) -> "subprocess.Popen[bytes]":
    """A dry run that finds nobody at its endpoint and has a long patience: it does not end soon."""
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "dynaferry", "copy", "orders", "orders-2", "--patience", "600"),
            *("--source-region", "us-east-1", "--source-endpoint-url", "http://127.0.0.1:9"),
            *("--target-region", "us-east-1", "--target-endpoint-url", "http://127.0.0.1:9"),
            *("--state-dir", str(tmp_path)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
    )


def test_ctrl_c_is_never_lost_at_whatever_moment_of_the_start_it_comes(tmp_path: Path) -> None:
    """Before Python has come as far as our code it ends the process in Python's own way."""
    for moment in range(MOMENTS):
        with started(tmp_path) as child:
            try:
                time.sleep(1.2 * moment / MOMENTS)
                child.send_signal(signal.SIGINT)
                _, err = child.communicate(timeout=30)
            finally:
                child.kill()
        assert child.returncode in (130, -signal.SIGINT, 1), (moment, err.decode())
        if child.returncode != 130:
            assert b"dynaferry/cli/" not in err, (moment, err.decode())


def child_of(code: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
    )


@pytest.mark.parametrize("module", ["typer", "sqlite3"])
def test_a_signal_that_an_import_swallows_still_ends_the_command(module: str) -> None:
    """As where it comes while Python cleans up after a module that it has loaded."""
    child = child_of(
        "import os, signal, sys\n"
        "class Swallowing:\n"
        "    def __del__(self):\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        "            Swallowing()\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from dynaferry.__main__ import main\n"
        "sys.argv = ['dynaferry', 'copy', 'orders', 'orders-2', '--source-region', 'us-east-1',\n"
        "    '--source-endpoint-url', 'http://127.0.0.1:9', '--target-region', 'us-east-1',\n"
        "    '--target-endpoint-url', 'http://127.0.0.1:9', '--state-dir', '/nowhere']\n"
        "main()\n"
    )
    assert child.returncode == 130, child.stderr
    assert "Exception ignored in" in child.stderr  # it was swallowed indeed


def test_a_signal_after_the_end_does_not_change_the_exit_code() -> None:
    child = child_of(
        "import atexit, os, signal, sys\n"
        "atexit.register(os.kill, os.getpid(), signal.SIGTERM)  # called after all of ours\n"
        "from dynaferry.__main__ import main\n"
        "sys.argv = ['dynaferry', '--version']\n"
        "main()\n"
    )
    assert child.returncode == 0, child.stderr
