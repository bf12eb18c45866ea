"""The life of an attempt, whatever it attempts: a copy, a verification, a replay, a benchmark.

It is cancelled before it begins (`attempted`), others run beside it (`beside`), tables take their
turns (`in_turn`), the first reason is picked out of all that failed (`ended_by`), and its end is
stored, shielded and with a deadline (`end_stored`).
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

import anyio

from dynaferry.errors import DynaferryError, StateWriteError, StoppedError
from dynaferry.observe.summary import ErrorSummary
from dynaferry.stop import StopSignal

Result = TypeVar("Result")
Stats = TypeVar("Stats")

# What people should know, line by line.
Say = Callable[[str], None]
# What is shown while an attempt lasts: it is given the counters, and cancelled at the end.
Watch = Callable[[Stats], Awaitable[None]]
# Returns when an attempt is to be cancelled.
CancelWhen = Callable[[], Awaitable[None]]

END_OF_ATTEMPT_SECONDS = 5.0
CLOSE_STORE_SECONDS = 5.0


class Closable(Protocol):
    """What is open, and has to be closed."""

    async def aclose(self) -> None:
        """Closes it."""
        ...


def say_nothing(_: str) -> None:
    """Nobody listens."""


async def attempted(
    attempt: Callable[[], Awaitable[Result]], *, cancel_when: CancelWhen
) -> tuple[Result | None, DynaferryError | None]:
    """Makes an attempt, until `cancel_when` returns, and gives its result or its error.

    Neither, where it was cancelled before it had a result.
    """
    result: Result | None = None
    error: DynaferryError | None = None

    async def cancel(scope: anyio.CancelScope) -> None:
        await cancel_when()
        scope.cancel()

    try:
        async with anyio.create_task_group() as group:
            group.start_soon(cancel, group.cancel_scope)
            result = await attempt()
            group.cancel_scope.cancel()
    except* DynaferryError as failed:
        error = first_reason(failed)
    return result, error


def before_it_begins(stop: StopSignal, begun: Callable[[], bool]) -> CancelWhen:
    """Once a stop is asked for, unless the attempt has begun: then it ends by itself."""

    async def asked() -> None:
        await stop.finish.wait()
        if begun():
            await anyio.sleep_forever()

    return asked


async def ended_by(work: Callable[[], Awaitable[None]]) -> DynaferryError | None:
    """Does the work; returns what ended it before its time, None where nothing did.

    :raises BaseExceptionGroup: none of it is an error of ours
    """
    try:
        await work()
    except DynaferryError as error:
        return error
    except BaseExceptionGroup as group:
        reasons, bugs = group.split(DynaferryError)
        if reasons is None:
            raise
        # A reason to stop may have brought other failures with it: it is what people need.
        reason = first_reason(reasons)
        if bugs is not None:
            reason.__cause__ = bugs
        return reason
    return None


def first_reason(group: BaseExceptionGroup[DynaferryError]) -> DynaferryError:
    """The error that ended a run: a reason to stop, before anything that merely came of it."""
    leaves = [
        first_reason(error) if isinstance(error, BaseExceptionGroup) else error
        for error in group.exceptions
    ]
    return next((leaf for leaf in leaves if isinstance(leaf, StoppedError)), leaves[0])


@asynccontextmanager
async def beside(*tasks: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Runs the tasks while the block lasts, and cancels them at its end.

    :raises BaseExceptionGroup: what the block or a task has raised
    """
    async with anyio.create_task_group() as group:
        for task in tasks:
            group.start_soon(task)
        yield
        group.cancel_scope.cancel()


async def watched(watch: Watch[Stats] | None, stats: Stats) -> None:
    """Lets `watch` show what comes of it, where there is one."""
    if watch is not None:
        await watch(stats)


async def in_turn(
    tables: Iterable[int], at_once: int, stop: StopSignal, work: Callable[[int], Awaitable[None]]
) -> None:
    """Does the work of these tables, some at once and the first of them first; none is begun after
    a stop was asked for.

    :raises BaseExceptionGroup: what the work of one has raised; that of the others is cancelled
    """
    turns = anyio.CapacityLimiter(at_once)

    async def take_turn(table: int) -> None:
        async with turns:
            if not stop.asked:
                await work(table)

    async with anyio.create_task_group() as group:
        for table in tables:
            group.start_soon(take_turn, table)


async def end_stored(
    store_end: Callable[[], Awaitable[None]], error: DynaferryError | None
) -> DynaferryError | None:
    """Stores how an attempt ended, whatever else ends; returns the error that it ended with."""
    with anyio.move_on_after(END_OF_ATTEMPT_SECONDS, shield=True):
        try:
            await store_end()
        except StateWriteError as not_stored:
            # What was stored before still holds, and the first error is the one to tell.
            return error or not_stored
    return error


@asynccontextmanager
async def closing(store: Closable) -> AsyncIterator[None]:
    """Closes the store after the block, whatever ends it, within a few seconds."""
    try:
        yield
    finally:
        with anyio.move_on_after(CLOSE_STORE_SECONDS, shield=True):
            await store.aclose()


def error_summary(error: DynaferryError | None) -> ErrorSummary | None:
    """The error as a summary has it."""
    if error is None:
        return None
    return ErrorSummary(type=type(error).__name__, message=error.message, hint=error.hint)


def error_record(error: DynaferryError | None) -> tuple[str, str, str | None] | None:
    """The error as a state file keeps it."""
    return None if error is None else (type(error).__name__, error.message, error.hint)
