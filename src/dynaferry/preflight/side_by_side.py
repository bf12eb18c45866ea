"""One step for each of many tables, a few at a time, with a line of progress now and then.

What is raised must not depend on which response came first. An inspection tells the problems of all
tables at once, in the plan's order; but of a service that does not respond nothing more can be
told. What changes anything ends with the first table that failed. Tables behind are left alone
from then on.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Final, Generic, TypeVar

import anyio

from dynaferry.errors import DynaferryError, RetryableError
from dynaferry.shared.problems import all_of, parts_of

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
    all_problems: bool = False,
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
) -> list[Result]:
    """The results of `step` for each table, in their order, `TABLES_AT_ONCE` side by side.

    `done` says in words what `step` has done to a table: `say` gets a line with the number so far.

    :raises DynaferryError: what `step` raised for the first table, in their order, that failed; or
        with `all_problems`, for all of them
    """
    steps = _Steps(tables, step, all_problems=all_problems)

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
        raise told(steps.errors) if all_problems else steps.errors[min(steps.errors)]
    return [steps.results[number] for number in range(len(tables))]


async def all_done(*steps: Callable[[], Awaitable[None]]) -> None:
    """Does the steps side by side, each of them whatever another raises.

    :raises DynaferryError: all that they raised, in their order
    """
    errors: dict[int, DynaferryError] = {}

    async def take(number: int, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except DynaferryError as error:
            errors[number] = error

    async with anyio.create_task_group() as group:
        for number, step in enumerate(steps):
            group.start_soon(take, number, step)
    if errors:
        raise told(errors)


def told(errors: Mapping[int, DynaferryError]) -> DynaferryError:
    """One error for those of several tables or steps, by their numbers.

    Where the service did not respond, others would be told by chance: it is that alone.
    """
    in_order = [errors[number] for number in sorted(errors)]
    gone = next((error for error in in_order if isinstance(error, RetryableError)), None)
    return gone or all_of([part for error in in_order for part in parts_of(error)])


class _Steps(Generic[Table, Result]):
    """The results and errors so far, by a table's number."""

    def __init__(
        self,
        tables: Sequence[Table],
        step: Callable[[Table], Awaitable[Result]],
        *,
        all_problems: bool,
    ) -> None:
        self._tables = tables
        self._step = step
        self._all_problems = all_problems
        self._is_over = False
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
            if self._is_over:  # those before are under way, or done
                return
            with anyio.CancelScope() as scope:
                self._under_way[number] = scope
                try:
                    self.results[number] = await self._step(self._tables[number])
                except DynaferryError as error:
                    self.errors[number] = error
                    if not self._all_problems or isinstance(error, RetryableError):
                        self._is_over = True
                        self._leave_those_behind(number)
            del self._under_way[number]

    def _leave_those_behind(self, number: int) -> None:
        for other, scope in self._under_way.items():
            if other > number:
                scope.cancel()
