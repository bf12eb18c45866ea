import math
import re
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import anyio
import msgspec
import pytest

from dynaferry.dynamodb.items.canonical import digest_of
from dynaferry.errors import (
    ItemRefusedError,
    StateWriteError,
    ThrottledError,
    UnavailableError,
)
from dynaferry.ports import Replaced
from dynaferry.state.directory import overwritten_path
from dynaferry.stop import StopSignal
from dynaferry.verify.assembly import VerifyCaps
from dynaferry.verify.compare.repair import next_step, repair_plan
from dynaferry.verify.state.overwritten import KeptItem
from dynaferry.verify.state.records import ComparisonTotals, Difference
from dynaferry.verify.state.store import ReplacedKind
from dynaferry.verify.stats import ComparisonStats
from tests.verify.small_verify import opened, plan_of, tools_of
from tests.worlds.fake_tables import FakeTable, item, key

SOURCE = [item(n) for n in range(100)]
# 3 missing, 2 different, 2 extra.
TARGET = [item(3, 9), item(4, 9), *SOURCE[5:], item("x1"), item("x2")]


async def mended(
    tmp_path: Path,
    source: FakeTable,
    target: FakeTable,
    *,
    meanwhile: Callable[[], None] = lambda: None,
    repair: bool = True,
    delete_extra: bool = True,
    rejected: Sequence[bytes] = (),
    stats: ComparisonStats | None = None,
) -> tuple[ComparisonTotals, list[str]]:
    """Compares, lets `meanwhile` happen, and mends; the totals and the refusals."""
    plan = plan_of(tmp_path, repair=repair, delete_extra=delete_extra)
    async with opened(plan) as store:
        tools = tools_of(plan, store, source, target, stats=stats, rejected=rejected)
        assert await tools.comparison.compare([0], StopSignal())
        meanwhile()
        assert await tools.repair.repair_all(StopSignal())
        return await store.read_totals(0), list(tools.repair.refusals)


async def test_the_target_becomes_the_source(tmp_path: Path) -> None:
    source, target = FakeTable(SOURCE), FakeTable(TARGET)
    totals, refusals = await mended(tmp_path, source, target)
    assert target.items == source.items
    assert (totals.written, totals.deleted, refusals) == (5, 2, [])
    assert (totals.missing, totals.different, totals.extra) == (0, 0, 0)


@pytest.mark.parametrize(
    ("repair", "delete_extra", "left"), [(True, False, (0, 0, 2)), (False, True, (3, 2, 0))]
)
async def test_only_what_was_asked_for_is_repaired(
    tmp_path: Path, repair: bool, delete_extra: bool, left: tuple[int, int, int]
) -> None:
    totals, _ = await mended(
        tmp_path, FakeTable(SOURCE), FakeTable(TARGET), repair=repair, delete_extra=delete_extra
    )
    assert (totals.missing, totals.different, totals.extra) == left


async def test_what_the_copy_had_set_aside_is_left_to_a_replay(tmp_path: Path) -> None:
    target = FakeTable(TARGET)
    totals, _ = await mended(tmp_path, FakeTable(SOURCE), target, rejected=[key(0)])
    assert key(0) not in target.items
    assert (totals.written, totals.rejected) == (4, 1)


async def test_what_is_written_is_the_source_as_it_is_now_in_its_own_bytes(tmp_path: Path) -> None:
    source, target = FakeTable(SOURCE), FakeTable(TARGET)
    newer = b'{"pk": {"S": "0"}, "n": {"N": "1.50"}}'

    def changed() -> None:
        source.items[key(0)] = newer

    totals, _ = await mended(tmp_path, source, target, meanwhile=changed)
    assert target.items[key(0)] == newer
    assert totals.written == 5


async def test_a_target_that_others_changed_since_is_never_overwritten(tmp_path: Path) -> None:
    target = FakeTable(TARGET)

    def changed() -> None:
        target.items[key(0)] = item(0, 77)  # was missing
        target.items[key(3)] = item(3, 77)  # was different
        target.items[key("x1")] = item("x1", 77)  # was extra

    totals, _ = await mended(tmp_path, FakeTable(SOURCE), target, meanwhile=changed)
    assert target.items[key(0)] == item(0, 77)
    assert target.items[key(3)] == item(3, 77)
    assert target.items[key("x1")] == item("x1", 77)
    assert (totals.written, totals.deleted) == (3, 1)
    assert (totals.missing, totals.different, totals.extra) == (1, 1, 1)


async def test_a_target_that_changes_right_before_the_write_is_not_overwritten(
    tmp_path: Path,
) -> None:
    """Between the last look and the write only the write's own condition helps."""
    target = FakeTable(TARGET)
    put = target.put_if_unchanged

    async def put_too_late(item_: bytes, seen: bytes | None) -> Replaced:
        target.items[key(0)] = item(0, 77)
        return await put(item_, seen)

    target.put_if_unchanged = put_too_late  # type: ignore[method-assign]
    totals, _ = await mended(tmp_path, FakeTable(SOURCE), target)
    assert target.items[key(0)] == item(0, 77)
    assert (totals.written, totals.missing) == (4, 1)


async def test_an_extra_item_that_the_source_has_by_now_is_not_deleted(tmp_path: Path) -> None:
    source, target = FakeTable(SOURCE), FakeTable(TARGET)

    def written() -> None:
        source.items[key("x1")] = item("x1", 5)

    totals, _ = await mended(tmp_path, source, target, meanwhile=written)
    assert key("x1") in target.items
    assert (totals.deleted, totals.extra) == (1, 1)


async def test_a_difference_that_is_gone_by_itself_is_not_one_any_more(tmp_path: Path) -> None:
    source, target = FakeTable(SOURCE), FakeTable(TARGET)

    def replicated() -> None:
        target.items[key(0)] = source.items[key(0)]

    totals, _ = await mended(tmp_path, source, target, meanwhile=replicated)
    assert (totals.agreed, totals.written, totals.missing) == (1, 4, 0)


async def test_a_write_that_replaced_something_unanswered_is_not_called_written(
    tmp_path: Path,
) -> None:
    """What stood there is only in the answer that was lost. A put into nothing replaced nothing."""
    target = FakeTable(TARGET)
    put, delete, lost = target.put_if_unchanged, target.delete_if_unchanged, set[bytes]()

    async def put_unanswered(item_: bytes, seen: bytes | None) -> Replaced:
        units = await put(item_, seen)
        if item_ not in lost:
            lost.add(item_)
            raise UnavailableError("the connection was dropped")
        return units

    async def delete_unanswered(key_: bytes, seen: bytes) -> Replaced:
        units = await delete(key_, seen)
        if key_ not in lost:
            lost.add(key_)
            raise UnavailableError("the connection was dropped")
        return units

    target.put_if_unchanged = put_unanswered  # type: ignore[method-assign]
    target.delete_if_unchanged = delete_unanswered  # type: ignore[method-assign]
    source = FakeTable(SOURCE)
    totals, _ = await mended(tmp_path, source, target)
    assert target.items == source.items
    assert (totals.written, totals.deleted, totals.unseen) == (3, 0, 4)
    assert (totals.missing, totals.different, totals.extra) == (0, 0, 0)


async def test_a_throttled_write_leaves_no_doubt(tmp_path: Path) -> None:
    target = FakeTable(TARGET)
    put, throttled = target.put_if_unchanged, set[bytes]()

    async def put_later(item_: bytes, seen: bytes | None) -> Replaced:
        if item_ not in throttled:
            throttled.add(item_)
            raise ThrottledError("slow down", code="ThrottlingException")
        return await put(item_, seen)

    target.put_if_unchanged = put_later  # type: ignore[method-assign]
    stats = ComparisonStats("orders", "orders-2", segments_total=1)
    totals, _ = await mended(tmp_path, FakeTable(SOURCE), target, stats=stats)
    assert (totals.written, totals.deleted, totals.unseen) == (5, 2, 0)
    # Each is counted with its reason, and only the writes that were throttled are.
    assert stats.throttles == {("PutItem", "ThrottlingException"): 5}
    assert (stats.throttled_requests, stats.retried_requests) == (5, 5)


NEWER = {
    key(3): b'{"pk":{"S":"3"},"n":{"N":"9"},"new":{"S":"x"}}',
    key("x1"): b'{"pk":{"S":"x1"},"n":{"N":"0"},"new":{"S":"x"}}',
}


def changes_unseen(target: FakeTable) -> Callable[[bytes], None]:
    """Adds an attribute right before the write, which no condition can name."""

    def change(key_: bytes) -> None:
        if key_ in NEWER:
            target.items[key_] = NEWER[key_]

    return change


async def test_what_is_replaced_though_it_was_not_seen_is_kept_and_not_called_written(
    tmp_path: Path,
) -> None:
    source, target = FakeTable(SOURCE), FakeTable(TARGET)
    target.after_check = changes_unseen(target)
    totals, _ = await mended(tmp_path, source, target)
    assert target.items == source.items
    assert (totals.written, totals.deleted, totals.overwritten) == (4, 1, 2)
    assert (totals.missing, totals.different, totals.extra, totals.unseen) == (0, 0, 0, 0)
    path = overwritten_path(tmp_path, "orders-to-orders-2")
    kept = [msgspec.json.decode(line, type=KeptItem) for line in path.read_bytes().splitlines()]
    assert {bytes(one.key): bytes(one.item) for one in kept} == NEWER
    assert {one.table for one in kept} == {"arn:target"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_what_was_replaced_is_kept_before_it_is_counted(
    tmp_path: Path,
) -> None:
    """A disk that cannot keep it ends the repair, and the item stays one of which nobody knows."""
    target = FakeTable(TARGET)
    target.after_check = changes_unseen(target)
    overwritten_path(tmp_path, "orders-to-orders-2").mkdir()
    plan = plan_of(tmp_path, repair=True)
    async with opened(plan) as store:
        tools = tools_of(plan, store, FakeTable(SOURCE), target)
        assert await tools.comparison.compare([0], StopSignal())
        cannot = pytest.RaisesExc(StateWriteError, match=re.escape('"pk":{"S":"3"}'))
        with pytest.RaisesGroup(cannot, flatten_subgroups=True):
            await tools.repair.repair_all(StopSignal())
        assert (await store.read_totals(0)).unseen >= 1


async def test_a_target_that_does_not_say_what_was_replaced_is_not_believed(
    tmp_path: Path,
) -> None:
    target = FakeTable(TARGET)
    target.tells_replaced = False
    totals, _ = await mended(tmp_path, FakeTable(SOURCE), target)
    assert (totals.written, totals.deleted, totals.unseen) == (3, 0, 4)


async def test_who_writes_the_same_at_the_same_time_loses_nothing(tmp_path: Path) -> None:
    source, target = FakeTable(SOURCE), FakeTable(TARGET)

    def same(key_: bytes) -> None:
        if key_ == key(3):
            target.items[key_] = source.items[key_]

    target.after_check = same
    totals, _ = await mended(tmp_path, source, target)
    assert (totals.written, totals.overwritten, totals.unseen) == (5, 0, 0)


class KilledError(Exception):
    """The process is gone."""


async def test_a_kill_between_a_write_and_its_response_leaves_it_said_that_nobody_knows(
    tmp_path: Path,
) -> None:
    source, target = FakeTable(SOURCE), FakeTable(TARGET)
    put = target.put_if_unchanged

    async def put_and_die(item_: bytes, seen: bytes | None) -> Replaced:
        if item_ == SOURCE[3]:
            await put(item_, seen)
        raise KilledError

    target.put_if_unchanged = put_and_die  # type: ignore[method-assign]
    plan = plan_of(tmp_path, repair=True)
    async with opened(plan) as store:
        tools = tools_of(plan, store, source, target)
        assert await tools.comparison.compare([0], StopSignal())
        note, notes = store.note_replaced, list[object]()

        async def note_until_killed(
            table: int, replaced: Mapping[bytes, ReplacedKind | None]
        ) -> None:
            notes.append(replaced)
            if len(notes) == 1:
                await note(table, replaced)

        store.note_replaced = note_until_killed  # type: ignore[method-assign]
        with pytest.raises(ExceptionGroup):
            await tools.repair.repair_all(StopSignal())
        target.put_if_unchanged = put  # type: ignore[method-assign]
        store.note_replaced = note  # type: ignore[method-assign]
        again = tools_of(plan, store, source, target)
        assert await again.repair.repair_all(StopSignal())
        totals = await store.read_totals(0)
    assert target.items.items() >= source.items.items()
    # Three were missing, so nothing was replaced; of the two that were different one was not sent.
    assert (totals.written, totals.unseen) == (4, 1)


async def test_an_item_that_the_target_refuses_stays_a_difference_and_is_reported(
    tmp_path: Path,
) -> None:
    target = FakeTable(TARGET)
    put = target.put_if_unchanged

    async def refuse(item_: bytes, seen: bytes | None) -> Replaced:
        if item_ == item(1):
            raise ItemRefusedError("an index key has the wrong type", code="ValidationException")
        return await put(item_, seen)

    target.put_if_unchanged = refuse  # type: ignore[method-assign]
    totals, refusals = await mended(tmp_path, FakeTable(SOURCE), target)
    assert (totals.written, totals.missing) == (4, 1)
    assert refusals == ['{"pk":{"S":"1"}}: ValidationException: an index key has the wrong type']


async def test_a_stop_ends_it_between_two_requests_worth_of_items(tmp_path: Path) -> None:
    source, target = FakeTable(SOURCE), FakeTable()
    plan = plan_of(tmp_path, repair=True)
    stop = StopSignal()
    async with opened(plan) as store:
        tools = tools_of(plan, store, source, target)
        assert await tools.comparison.compare([0], StopSignal())
        target.before_find = lambda _: stop.ask() if len(target.items) >= 25 else None
        assert not await tools.repair.repair_all(stop)
        totals = await store.read_totals(0)
        assert 0 < totals.written < 100
        assert totals.written == len(target.items)
        assert await tools.repair.repair_all(StopSignal())
        assert (await store.read_totals(0)).written == 100


@pytest.mark.parametrize("held", ["by a pause", "by a low cap"])
async def test_a_repair_that_waits_does_not_keep_a_stop_waiting_and_the_next_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: str
) -> None:
    monkeypatch.setattr("dynaferry.verify.compare.repair.GRACE_SECONDS", math.inf)
    plan = plan_of(tmp_path, repair=True, delete_extra=True)
    source, target, stop = FakeTable(SOURCE), FakeTable(TARGET), StopSignal()
    async with opened(plan) as store:
        caps = VerifyCaps(plan)
        tools = tools_of(plan, store, source, target, caps=caps)
        assert await tools.comparison.compare([0], StopSignal())

        def hold(_: Sequence[bytes]) -> None:
            if "pause" in held:
                caps.target.gate.close()
            else:
                caps.target.write.set(1e-3)
            stop.ask()

        target.before_find = hold
        with anyio.fail_after(30):
            assert not await tools.repair.repair_all(stop)
        assert target.items != source.items

        target.before_find = lambda _: None
        again = tools_of(plan, store, source, target)
        assert await again.repair.repair_all(StopSignal())
        assert target.items == source.items
        totals = await store.read_totals(0)
        assert (totals.missing, totals.different, totals.extra) == (0, 0, 0)


def test_the_plan_counts_what_was_asked_for_and_nothing_else(tmp_path: Path) -> None:
    totals = ComparisonTotals(missing=3, different=2, extra=4, rejected=5, in_flux=6)
    both = repair_plan(plan_of(tmp_path, repair=True, delete_extra=True), "orders", "arn", totals)
    assert (both.write_missing, both.overwrite_different, both.delete_extra) == (3, 2, 4)
    only = repair_plan(plan_of(tmp_path, delete_extra=True), "orders", "arn", totals)
    assert (only.write_missing, only.overwrite_different, only.items) == (0, 0, 4)


def test_what_is_done_depends_on_how_both_sides_are_now() -> None:
    one, other = item(1, 1), item(1, 2)
    missing = Difference(key=key(1), kind="missing")
    different = Difference(key=key(1), kind="different", target_digest=digest_of(other))
    extra = Difference(key=key(1), kind="extra", target_digest=digest_of(other))
    assert next_step(missing, one, None) == "write"
    assert next_step(missing, one, other) == "leave"
    assert next_step(missing, None, None) == "nothing"
    assert next_step(different, one, other) == "write"
    assert next_step(different, None, other) == "leave"
    assert next_step(different, other, other) == "nothing"
    assert next_step(extra, None, other) == "delete"
    assert next_step(extra, one, other) == "leave"
