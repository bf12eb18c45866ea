"""The event loop of a command, in which signals are the two stages of a stop (invariant 9)."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from functools import partial
from importlib.util import find_spec
from typing import TypeVar

import anyio

from dynaferry.cli import screen, signals
from dynaferry.cli.process_tuning import keep_freed_memory
from dynaferry.cli.watchdog import LastWords, watched
from dynaferry.stop import StopSignal

Result = TypeVar("Result")

FIRST_SIGNAL = "stopping: finishing what is in flight; again to cancel at once"
SECOND_SIGNAL = "cancelling; a third time ends the process at once"


def run_async(
    body: Callable[[], Awaitable[Result]], *, last_words: LastWords | None = None
) -> Result:
    """Runs `body` in an event loop, uvloop's where it is installed.

    With `last_words` there is a watchdog beside it; they report to people and scripts the error for
    which it ends the process. A command that only prints goes without: its reader may take a while.

    :raises KeyboardInterrupt: a signal came that `body` did not listen to; it was cancelled
    """
    keep_freed_memory()
    handler = signals.in_force()
    with handler.installed():
        handler.raise_if_swallowed()
        outcome: list[Result] = anyio.run(
            partial(_run, body, handler, last_words),
            backend_options={"use_uvloop": find_spec("uvloop") is not None},
        )
    if not outcome:
        raise KeyboardInterrupt
    return outcome[0]


async def _run(
    body: Callable[[], Awaitable[Result]], handler: signals.Signals, last_words: LastWords | None
) -> list[Result]:
    """The result of `body`, or nothing where a signal cancelled it."""
    loop = asyncio.get_running_loop()
    with (
        anyio.CancelScope() as scope,
        handler.heard_by(lambda: _soon(loop, scope.cancel)),
        nullcontext() if last_words is None else watched(loop, last_words),
    ):
        return [await body()]
    return []


async def run_until_stopped(body: Callable[[StopSignal], Awaitable[Result]]) -> Result:
    """Runs `body` with a stop that SIGINT, SIGTERM and SIGHUP ask for.

    :raises Exception: what `body` raises, as it is
    """
    loop, stop = asyncio.get_running_loop(), StopSignal()
    with signals.in_force().heard_by(lambda: _soon(loop, partial(ask_to_stop, stop))):
        return await body(stop)


def _soon(loop: asyncio.AbstractEventLoop, step: Callable[[], None]) -> None:
    loop.call_soon_threadsafe(step)


def ask_to_stop(stop: StopSignal) -> None:
    """Asks for the next stage of a stop, and says which it is."""
    screen.say(SECOND_SIGNAL if stop.asked else FIRST_SIGNAL)
    stop.ask()
