"""A move in this process beside two accounts of moto, as often as it is begun."""

import random
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import anyio
from msgspec.structs import replace

from dynaferry import CopyPlan
from dynaferry.follow.move_tables import execute
from dynaferry.observe.move_status import MoveStatus
from dynaferry.plan.settings import TablePlan
from dynaferry.ports import Page
from dynaferry.run.outcome import Outcome
from dynaferry.stop import StopSignal
from dynaferry.verify.compare.side_reader import SideReader
from tests.worlds.client import WireItem
from tests.worlds.moto import MotoWorld
from tests.worlds.table_client import TableClient

ITEMS = 120
STREAM = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
MOST_SECONDS = 90
# A comparison takes some seconds so.
SECONDS_A_PAGE = 0.3


def an_item(number: int, version: int) -> WireItem:
    return {"pk": {"S": f"k{number}"}, "version": {"N": str(version)}}


async def make_source(world: MotoWorld, *names: str) -> None:
    for name in names or ("orders",):
        await world.source_tables.create_table(name, StreamSpecification=STREAM)
        await world.source_tables.put_items(name, [an_item(n, 0) for n in range(ITEMS)])


def plan_of(world: MotoWorld, state_dir: Path, *names: str, **settings: Any) -> CopyPlan:
    copy = CopyPlan(
        tables=tuple(TablePlan(name, name) for name in names or ("orders",)),
        source=world.source,
        target=world.target,
        sts_endpoint_url=world.sts_endpoint_url,
        state_dir=state_dir,
        run="orders",
        create_target=True,
        segments=8,
        readers=2,
        writers=4,
    )
    return replace(copy, **settings)


class TwoAccounts(Protocol):
    """The way past dynaferry to both accounts."""

    @property
    def source_tables(self) -> TableClient: ...

    @property
    def target_tables(self) -> TableClient: ...


@dataclass
class Moving:
    """A move that runs: what it said, how it stands, and how it ended."""

    world: TwoAccounts
    stop: StopSignal
    said: list[str] = field(default_factory=list)
    tables: Sequence[MoveStatus] = ()
    outcome: Outcome | None = None

    def show(self, tables: Sequence[MoveStatus]) -> None:
        self.tables = tables

    def has_said(self, words: str) -> bool:
        return any(words in line for line in self.said)

    async def until(self, is_so: Callable[[], bool]) -> None:
        with anyio.move_on_after(MOST_SECONDS):
            while not is_so():
                assert self.outcome is None, self.outcome
                await anyio.sleep(0.05)
            return
        raise AssertionError(f"it did not come: {self.tables}; it said {self.said}")

    async def until_equal(self) -> None:
        """Until it follows with nothing waiting and no gap, and the target is the source."""
        with anyio.move_on_after(MOST_SECONDS):
            while not (self._is_quiet() and await self._is_equal()):
                assert self.outcome is None, self.outcome
                await anyio.sleep(0.2)
            return
        raise AssertionError(f"it is not equal: {self.tables}; it said {self.said}")

    def _is_quiet(self) -> bool:
        return bool(self.tables) and all(
            table.state == "following" and not table.spool_rows and not table.gaps
            for table in self.tables
        )

    async def _is_equal(self) -> bool:
        for table in self.tables:
            source = await self.world.source_tables.read_table(table.source)
            if source != await self.world.target_tables.read_table(table.target):
                return False
        return True


@asynccontextmanager
async def moving(
    world: TwoAccounts, plan: CopyPlan, *, ends: bool = True, forward: bool = False
) -> AsyncIterator[Moving]:
    """Moves beside the block, and stops it in order at its end; without `ends`, at once."""
    move = Moving(world, StopSignal())

    async def run() -> None:
        move.outcome = await execute(
            plan, stop=move.stop, show=move.show, say=move.said.append, goes_forward=forward
        )

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        yield move
        if ends:
            move.stop.finish.set()
        else:
            group.cancel_scope.cancel()


async def change_source(world: MotoWorld, seed: int, changes: int, table: str = "orders") -> None:
    """Puts and deletes, old keys and new ones."""
    chance = random.Random(seed)
    for version in range(1, changes + 1):
        number = chance.randrange(ITEMS + 20)
        if chance.random() < 0.3:
            await world.source_tables.delete_item(table, {"pk": {"S": f"k{number}"}})
        else:
            await world.source_tables.put_items(table, [an_item(number, 1000 * seed + version)])


async def read_page_slowly(
    reader: SideReader, segment: int, exclusive_start_key: bytes | None
) -> Page:
    """In the place of `SideReader.read_page`."""
    await anyio.sleep(SECONDS_A_PAGE)
    return await _read_page(reader, segment, exclusive_start_key)


_read_page = SideReader.read_page


def in_spool(state_dir: Path, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Does one thing to the spool of a move that does not run."""
    with closing(sqlite3.connect(state_dir / "orders.spool.sqlite")) as connection, connection:
        return connection.execute(statement, parameters).fetchall()
