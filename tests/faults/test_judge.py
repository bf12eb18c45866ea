"""The judge finds what it is there to find: copies that were broken on purpose."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from msgspec import Raw
from msgspec.structs import replace

from dynaferry.dynamodb.items.batch_write import BatchWriteTarget
from dynaferry.dynamodb.items.scan import ScanSource
from dynaferry.errors import StateError
from dynaferry.ports import BatchExchange, Page, WriteResult
from dynaferry.run.copy_tables import execute
from dynaferry.run.outcome import Outcome
from dynaferry.state.records import DeadLetter
from dynaferry.state.sqlite.store import SqliteStore
from tests.faults.judge import Verdict, judge_finished, judge_state
from tests.faults.service import POISON
from tests.faults.weather import Fault
from tests.faults.world import RUN, World, faulty_world, some_items

Patch = Callable[[pytest.MonkeyPatch], None]
BAD = b'{"pk":{"S":"bad"},"v":{"S":"%b"}}' % POISON


def forget_unprocessed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(BatchWriteTarget, "_remainder", lambda *_: [])


def skip_a_page_after_an_empty_one(patch: pytest.MonkeyPatch) -> None:
    read_page = ScanSource.read_page

    async def hasty(
        self: ScanSource, segment: int, start: bytes | None, limit: int | None = None
    ) -> Page:
        page = await read_page(self, segment, start, limit)
        return page if page.items else replace(page, last_evaluated_key=None)

    patch.setattr(ScanSource, "read_page", hasty)


def write_another_item(patch: pytest.MonkeyPatch) -> None:
    body_of = BatchWriteTarget._body

    def inventive(self: BatchWriteTarget, items: Sequence[Raw]) -> bytes:
        return body_of(self, items).replace(b'"note"', b'"nota"')

    patch.setattr(BatchWriteTarget, "_body", inventive)


def drop_refused_items(patch: pytest.MonkeyPatch) -> None:
    async def forget(self: SqliteStore, letters: Sequence[DeadLetter]) -> None:
        assert letters

    patch.setattr(SqliteStore, "add_dead_letters", forget)


@asynccontextmanager
async def copied_by(
    patch: Patch, monkeypatch: pytest.MonkeyPatch, state_dir: Path, fault: Fault | None
) -> AsyncIterator[tuple[World, Outcome]]:
    shares = {} if fault is None else {fault: 0.3}
    async with faulty_world([*some_items(200), BAD], shares=shares) as world:
        with monkeypatch.context() as broken:
            patch(broken)
            outcome = await execute(world.plan(state_dir))
        assert outcome.error is None
        yield world, outcome


async def verdict_on(world: World, outcome: Outcome, state_dir: Path) -> Verdict:
    return await judge_finished(
        world.service, world.source, world.target, outcome.summary, state_dir
    )


@pytest.mark.parametrize(
    ("patch", "fault", "what"),
    [
        (forget_unprocessed, "partly unprocessed", "lost"),
        (skip_a_page_after_an_empty_one, "empty page", "lost"),
        (write_another_item, None, "invented"),
    ],
)
async def test_a_broken_copy_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patch: Patch, fault: Fault | None, what: str
) -> None:
    async with copied_by(patch, monkeypatch, tmp_path, fault) as (world, outcome):
        verdict = await verdict_on(world, outcome, tmp_path)
        assert not verdict.is_good
        assert getattr(verdict, what)
        state = await judge_state(world.source, world.target, tmp_path, RUN)
        assert not state.is_good


async def test_dead_letters_that_were_not_stored_are_found_out_by_the_state_file_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with copied_by(drop_refused_items, monkeypatch, tmp_path, None) as (world, outcome):
        with pytest.raises(StateError, match="counts 1 rejected items and has 0 dead letters"):
            await verdict_on(world, outcome, tmp_path)


async def test_a_wrong_count_is_found_out(tmp_path: Path) -> None:
    async with faulty_world([*some_items(50), BAD]) as world:
        outcome = await execute(world.plan(tmp_path))
        assert (await verdict_on(world, outcome, tmp_path)).is_good
        (table,) = outcome.summary.tables
        wrong = replace(table, items_written=table.items_written + 1)
        summary = replace(outcome.summary, tables=(wrong,))
        verdict = await verdict_on(world, Outcome(summary), tmp_path)
        assert verdict.miscounted == ["written: 51 != 50"]


async def test_a_watermark_ahead_of_what_is_written_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def pretend(self: BatchWriteTarget, batches: BatchExchange) -> None:
        next(batches)
        with suppress(StopIteration):
            while True:
                batches.send(WriteResult(unprocessed=()))

    monkeypatch.setattr(BatchWriteTarget, "write_batches", pretend)
    async with faulty_world(some_items(50)) as world:
        await execute(world.plan(tmp_path))
        verdict = await judge_state(world.source, world.target, tmp_path, RUN)
        assert len(verdict.lost) == 50
