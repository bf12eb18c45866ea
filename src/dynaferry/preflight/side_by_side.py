"""One step for each of many tables, a few at a time, with a line of progress now and then.

Which of several errors is raised must not depend on which response came first: it is that of the
first table in the plan's order. Tables behind it are left alone from then on.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final, Generic, TypeVar

import anyio

from dynaferry.errors import DynaferryError

TABLES_AT_ONCE: Final = 8
# What is over sooner needs no word.
FIRST_WORD_SECONDS: Final = 2.0
SECONDS_BETWEEN_WORDS: Final = 5.0

Table = TypeVar("Table")
Result = TypeVar("Result")


async def for_each_table(
    tables: Sequence[Table],
    step: Callable[[Table], Awaitable[Result]],
    *,
    say: Callable[[str], None],
    done: str,
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
) -> list[Result]:
    """The results of `step` for each table, in their order, `TABLES_AT_ONCE` side by side.

    `done` says in words what `step` has done to a table: `say` gets a line with the number so far.

    :raises DynaferryError: what `step` raised for the first table, in their order, that failed
    """
    steps = _Steps(tables, step)

    async def report() -> None:
        await sleep(FIRST_WORD_SECONDS)
        while True:
            say(f"{len(steps.results):,} of {len(tables):,} tables {done}")
            await sleep(SECONDS_BETWEEN_WORDS)

    async with anyio.create_task_group() as beside:
        if len(tables) > 1:
            beside.start_soon(report)
        await steps.run()
        beside.cancel_scope.cancel()
    if steps.errors:
        raise steps.errors[min(steps.errors)]
    return [steps.results[number] for number in range(len(tables))]


class _Steps(Generic[Table, Result]):
    """The results and errors so far, by a table's number."""

    def __init__(self, tables: Sequence[Table], step: Callable[[Table], Awaitable[Result]]) -> None:
        self._tables = tables
        self._step = step
        self._under_way: dict[int, anyio.CancelScope] = {}
        self.results: dict[int, Result] = {}
        self.errors: dict[int, DynaferryError] = {}

    async def run(self) -> None:
        numbers = iter(range(len(self._tables)))
        async with anyio.create_task_group() as workers:
            for _ in range(min(TABLES_AT_ONCE, len(self._tables))):
                workers.start_soon(self._go_on, numbers)

    async def _go_on(self, numbers: Iterator[int]) -> None:
        for number in numbers:
            if self.errors:  # those before are under way, or over
                return
            with anyio.CancelScope() as scope:
                self._under_way[number] = scope
                try:
                    self.results[number] = await self._step(self._tables[number])
                except DynaferryError as error:
                    self.errors[number] = error
                    self._leave_those_behind(number)
            del self._under_way[number]

    def _leave_those_behind(self, number: int) -> None:
        for other, scope in self._under_way.items():
            if other > number:
                scope.cancel()
