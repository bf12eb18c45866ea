"""Signals become the two stages of a stop (invariant 9), beside whatever runs."""

import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.util import find_spec
from typing import TypeVar

import anyio

from dynaferry.cli import screen
from dynaferry.cli.memory import keep_freed_memory
from dynaferry.copy.stop import StopSignal

Result = TypeVar("Result")

FIRST_SIGNAL = "stopping: finishing what is in flight; again to cancel at once"
SECOND_SIGNAL = "cancelling"


def run_async(body: Callable[[], Awaitable[Result]]) -> Result:
    """Runs `body` in an event loop, uvloop's where it is installed."""
    keep_freed_memory()
    return anyio.run(body, backend_options={"use_uvloop": find_spec("uvloop") is not None})


async def run_until_stopped(body: Callable[[StopSignal], Awaitable[Result]]) -> Result:
    """Runs `body` with a stop that SIGINT and SIGTERM ask for.

    :raises Exception: what `body` raises, as it is
    """
    stop = StopSignal()
    outcome: list[Result] = []
    failure: list[Exception] = []
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with anyio.create_task_group() as group:
            group.start_soon(_ask, signals, stop)
            # The task group would wrap the error in a group of errors.
            try:
                outcome.append(await body(stop))
            except Exception as error:  # noqa: BLE001  # raised below
                failure.append(error)
            group.cancel_scope.cancel()
    if failure:
        raise failure[0]
    return outcome[0]


async def _ask(signals: AsyncIterator[signal.Signals], stop: StopSignal) -> None:
    async for _ in signals:
        screen.say(SECOND_SIGNAL if stop.asked else FIRST_SIGNAL)
        stop.ask()
