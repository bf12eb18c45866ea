"""From when on what comes to a source is late, and when it is not any more."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from anyio import to_thread

from dynaferry.follow.late_watch import OWN_WRITES_SECONDS, LateWatch
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.switched_table import SwitchedTable
from tests.follow.changes import change

NOW = 1_800_000_000.0


class Table:
    def __init__(self) -> None:
        self.told: list[str] = []

    async def begin_late_writes(self, *, takes_waiting: bool) -> None:
        self.told.append("all is late" if takes_waiting else "what comes is late")

    async def end_late_writes(self, *, forget: bool) -> None:
        self.told.append("forgotten" if forget else "not late")

    async def late_writes(self) -> int:
        return 0


def watched(clock: Callable[[], float]) -> tuple[LateWatch, Table]:
    table = Table()
    return LateWatch(cast("Any", [table]), lambda _: None, clock), table


async def test_what_comes_is_late_again_once_the_stream_has_shown_what_we_wrote() -> None:
    now = NOW
    watch, table = watched(lambda: now)
    await watch.turn(False, forget=False)
    watch.turn_on_soon()
    await watch.tell()
    now += OWN_WRITES_SECONDS
    await watch.tell()
    await watch.tell()
    assert table.told == ["not late", "what comes is late"]


async def test_a_second_cut_back_ends_what_an_earlier_one_was_to_begin() -> None:
    """The first was killed. Behind the return the source is in use: nothing there is late."""
    now = NOW
    watch, table = watched(lambda: now)
    await watch.turn(False, forget=False)
    watch.turn_on_soon()
    await watch.turn(False, forget=False)
    now += 10 * OWN_WRITES_SECONDS
    await watch.tell("target")
    assert table.told == ["not late"]


def table_of(spool: SpoolFile, clock: Callable[[], float]) -> SwitchedTable:
    async def run(step: Callable[[SpoolFile], Any]) -> Any:
        return await to_thread.run_sync(step, spool)

    async def counts() -> Any:
        return await run(SpoolFile.counts)

    capture = SimpleNamespace(clock=clock, is_to_end=False)
    table = SimpleNamespace(
        capture=capture, spool=SimpleNamespace(run=run), way_back=None, late_counts=counts
    )
    return SwitchedTable(cast("Any", table), cast("Any", SimpleNamespace()), cast("Any", None))


@pytest.mark.parametrize("shown", ["before the start", "behind the start"])
async def test_what_a_failed_cut_back_wrote_is_not_late_in_the_next_process_either(
    tmp_path: Path, shown: str
) -> None:
    """That one ended, and its process as well before the stream had shown what it wrote."""
    now = NOW
    spool = await to_thread.run_sync(SpoolFile.create, tmp_path / "orders.spool.sqlite", "id")

    async def comes(name: str) -> None:
        await to_thread.run_sync(spool.store, [change(name, 1)], (), now)

    async def late() -> int:
        return (await to_thread.run_sync(spool.counts)).late_writes

    def process() -> LateWatch:
        return LateWatch([table_of(spool, lambda: now)], lambda _: None, lambda: now)

    first = process()
    await first.turn(True)
    await first.turn(False, forget=False)
    first.turn_on_soon()
    if shown == "before the start":
        await comes("ours")
    second = process()
    await second.take_up()
    if shown == "behind the start":
        await comes("ours")
    now += OWN_WRITES_SECONDS
    await second.tell()
    assert await late() == 0
    # A third goes on with what the second watches, and what comes then is late.
    third = process()
    await third.take_up()
    await comes("theirs")
    assert await late() == 1
    await to_thread.run_sync(spool.close)
