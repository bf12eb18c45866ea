"""An event loop whose time runs faster: waits, time-outs and backoffs pass at `SPEED` times.

Everything that waits by the loop (sleeps, deadlines, time-outs of requests) keeps its proportions
and takes a fraction of the time, so a copy meets a time-out of 30 s or a backoff of 10 s within a
test. What reads the machine's clocks, as a run's patience does, is not touched.
"""

import asyncio
import selectors
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from dynaferry.copy import checkpoint
from dynaferry.run import lifecycle

SPEED = 50.0

T = TypeVar("T")


class _QuickSelector(selectors.DefaultSelector):
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(None if timeout is None else timeout / SPEED)


class QuickLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop, by a faster clock."""

    def __init__(self) -> None:
        super().__init__(_QuickSelector())

    def time(self) -> float:
        return super().time() * SPEED


def run_quickly(main: Coroutine[Any, Any, T]) -> T:
    """Runs `main` to its end, as `asyncio.run` does."""
    with asyncio.Runner(loop_factory=QuickLoop) as runner:
        return runner.run(main)


@contextmanager
def disk_as_slow_as_it_is() -> Iterator[None]:
    """Gives what waits for the disk the time that it has by the machine's clock."""
    deadlines = (
        (checkpoint, "LAST_CHECKPOINT_SECONDS"),
        (lifecycle, "END_OF_ATTEMPT_SECONDS"),
        (lifecycle, "CLOSE_STORE_SECONDS"),
    )
    seconds = [vars(module)[name] for module, name in deadlines]
    for (module, name), usual in zip(deadlines, seconds, strict=True):
        vars(module)[name] = usual * SPEED
    try:
        yield
    finally:
        for (module, name), usual in zip(deadlines, seconds, strict=True):
            vars(module)[name] = usual
