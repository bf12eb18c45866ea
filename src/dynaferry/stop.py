"""The two-stage stop (invariant 9): finish what is in flight, then, asked again, cancel."""

from collections.abc import Awaitable, Callable
from typing import Final

import anyio

# Seconds between two checks, after a stop was asked for, of whether anything is in flight.
STOP_POLL_SECONDS: Final = 0.02


class StopSignal:
    """Asked once, reading ends and what is in flight is finished; asked twice, all is cancelled.

    Both leave a state that can be resumed. To be made and used inside a running event loop.
    """

    def __init__(self) -> None:
        self.finish = anyio.Event()
        self.cancel = anyio.Event()

    def ask(self) -> None:
        """Asks for the next stage."""
        if self.finish.is_set():
            self.cancel.set()
        else:
            self.finish.set()

    @property
    def asked(self) -> bool:
        """Whether a stop was asked for."""
        return self.finish.is_set()


async def cancel_when_over(
    work: anyio.CancelScope,
    stop: StopSignal,
    *,
    in_flight: Callable[[], int],
    grace_seconds: float,
) -> None:
    """Cancels `work` once a stop was asked for and no request is in flight any more.

    So who waits for a pause, for the pace or to try again keeps nobody waiting: what was not sent
    is not acknowledged, and is read again. Requests in flight have their grace, until the second
    signal.
    """
    await stop.finish.wait()
    with anyio.move_on_after(grace_seconds):
        while in_flight() and not stop.cancel.is_set():
            with anyio.move_on_after(STOP_POLL_SECONDS):
                await stop.cancel.wait()
    work.cancel()


async def unless_stopped(stop: StopSignal, work: Callable[[], Awaitable[None]]) -> bool:
    """Does the work and returns True, unless a stop is asked for before it is done.

    Reading has no effect, so it may end at any point.
    """
    done = False

    async def cancel_when_asked(scope: anyio.CancelScope) -> None:
        await stop.finish.wait()
        scope.cancel()

    async with anyio.create_task_group() as beside:
        beside.start_soon(cancel_when_asked, beside.cancel_scope)
        await work()
        done = True
        beside.cancel_scope.cancel()
    return done
