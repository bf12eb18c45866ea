"""Signals become the two stages of a stop."""

import os
import signal

import pytest

from dynaferry.cli.interrupts import FIRST_SIGNAL, SECOND_SIGNAL, run_until_stopped
from dynaferry.stop import StopSignal


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
async def test_the_first_signal_finishes_and_the_second_cancels(
    first: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    stages: list[tuple[bool, bool]] = []

    async def copy(stop: StopSignal) -> str:
        os.kill(os.getpid(), first)
        await stop.finish.wait()
        stages.append((stop.finish.is_set(), stop.cancel.is_set()))
        os.kill(os.getpid(), signal.SIGINT)
        await stop.cancel.wait()
        stages.append((stop.finish.is_set(), stop.cancel.is_set()))
        return "resumable"

    assert await run_until_stopped(copy) == "resumable"
    assert stages == [(True, False), (True, True)]
    assert capsys.readouterr().err.splitlines() == [FIRST_SIGNAL, SECOND_SIGNAL]


async def test_an_error_comes_out_as_it_was_raised() -> None:
    async def copy(_: StopSignal) -> None:
        raise ZeroDivisionError("as it is")

    with pytest.raises(ZeroDivisionError, match="as it is"):
        await run_until_stopped(copy)
