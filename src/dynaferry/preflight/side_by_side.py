"""Many tables looked at side by side: a few at a time, with a word now and then.

Which of several errors is told must not depend on which answer came first: it is that of the first
table in the plan's order. Tables behind it are left alone from then on.
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
Seen = TypeVar("Seen")


async def look_at_all(
    tables: Sequence[Table],
    look: Callable[[Table], Awaitable[Seen]],
    *,
    say: Callable[[str], None],
    done: str,
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
) -> list[Seen]:
    """What `look` returns of each table, in their order.

    `done` is what has been done to a table then, in words: `say` is told how many there are so far.

    :raises DynaferryError: what `look` raised of the first table of which it raised something
    """
    looks = _Looks(tables, look)

    async def tell() -> None:
        await sleep(FIRST_WORD_SECONDS)
        while True:
            say(f"{len(looks.seen):,} of {len(tables):,} tables {done}")
            await sleep(SECONDS_BETWEEN_WORDS)

    async with anyio.create_task_group() as beside:
        if len(tables) > 1:
            beside.start_soon(tell)
        await looks.make()
        beside.cancel_scope.cancel()
    if looks.errors:
        raise looks.errors[min(looks.errors)]
    return [looks.seen[number] for number in range(len(tables))]


class _Looks(Generic[Table, Seen]):
    """What came of each table so far, by its number."""

    def __init__(self, tables: Sequence[Table], look: Callable[[Table], Awaitable[Seen]]) -> None:
        self._tables = tables
        self._look = look
        self._under_way: dict[int, anyio.CancelScope] = {}
        self.seen: dict[int, Seen] = {}
        self.errors: dict[int, DynaferryError] = {}

    async def make(self) -> None:
        numbers = iter(range(len(self._tables)))
        async with anyio.create_task_group() as lookers:
            for _ in range(min(TABLES_AT_ONCE, len(self._tables))):
                lookers.start_soon(self._go_on, numbers)

    async def _go_on(self, numbers: Iterator[int]) -> None:
        for number in numbers:
            if self.errors:  # those before are under way, or over
                return
            with anyio.CancelScope() as scope:
                self._under_way[number] = scope
                try:
                    self.seen[number] = await self._look(self._tables[number])
                except DynaferryError as error:
                    self.errors[number] = error
                    self._leave_those_behind(number)
            del self._under_way[number]

    def _leave_those_behind(self, number: int) -> None:
        for other, scope in self._under_way.items():
            if other > number:
                scope.cancel()
