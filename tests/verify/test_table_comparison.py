from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from zlib import adler32

import anyio
import pytest
from msgspec import Raw

from dynaferry.errors import RequestRefusedError, ThrottledError
from dynaferry.ports import Page
from dynaferry.stop import StopSignal
from dynaferry.verify.compare import table_comparison as module
from dynaferry.verify.compare.confirm import KEYS_AT_ONCE
from dynaferry.verify.compare.join import Join, Side
from dynaferry.verify.outcome import digests
from dynaferry.verify.state.records import ComparisonTotals
from dynaferry.verify.stats import ComparisonStats
from tests.verify.small_verify import compared, opened, plan_of, tools_of
from tests.worlds.fake_tables import FakeTable, item, key

MANY = [item(n) for n in range(300)]


def planted() -> list[bytes]:
    """MANY without the first 7, with 5 that differ and 3 more."""
    return [*(item(n, 9) for n in range(7, 12)), *MANY[12:], *(item(f"x{n}") for n in range(3))]


def kinds(differences: Sequence[object]) -> Counter[str]:
    return Counter(one.kind for one in differences)  # type: ignore[attr-defined]


@pytest.mark.parametrize("segments", [1, 7])
async def test_equal_tables_are_proven_equal_by_scans_alone(tmp_path: Path, segments: int) -> None:
    source, target = FakeTable(MANY, segments=segments), FakeTable(MANY, segments=segments)
    totals, differences = await compared(
        plan_of(tmp_path), source, target, segments=segments, clock=lambda: 7.0
    )
    assert totals == ComparisonTotals(
        segments_compared=segments,
        source_items=300,
        target_items=300,
        matching=300,
        oldest_at=7.0,
    )
    assert differences == []
    assert source.looked_up == target.looked_up == []


@pytest.mark.parametrize("segments", [1, 7])
@pytest.mark.parametrize("page_items", [1, 10, 1000])
@pytest.mark.parametrize("order", ["the same", "another", "another, and other segments"])
async def test_counts_are_exact_whatever_the_order_on_the_target(
    tmp_path: Path, segments: int, page_items: int, order: str
) -> None:
    source = FakeTable(MANY, segments=segments)
    target = FakeTable(planted(), segments=segments, page_items=page_items)
    if order != "the same":
        target = FakeTable(
            planted(),
            segments=segments,
            page_items=page_items,
            order=lambda k: bytes(reversed(k)),
            place=adler32 if "segments" in order else target._place,
        )
    totals, differences = await compared(plan_of(tmp_path), source, target, segments=segments)
    assert (totals.source_items, totals.target_items) == (300, 296)
    assert (totals.matching, totals.missing, totals.different, totals.extra) == (288, 7, 5, 3)
    assert kinds(differences) == {"missing": 7, "different": 5, "extra": 3}
    assert {one.key for one in differences if one.kind == "extra"} == {
        key(f"x{n}") for n in range(3)
    }
    assert {one.attributes for one in differences if one.kind == "different"} == {("n",)}
    assert {one.key for one in differences if one.kind == "missing"} == set(map(key, range(7)))


async def test_one_segment_of_any_size_holds_a_bounded_number_of_items_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worst order there is: what comes first on one side comes last on the other."""
    monkeypatch.setattr(module, "MOST_WAITING_ITEMS", 40)
    monkeypatch.setattr(module, "KEYS_READ_AT_ONCE", 15)
    most_waiting, most_bytes = 0, 0

    class Watched(Join):
        def add(self, side: Side, items: Sequence[Raw]) -> None:
            nonlocal most_waiting, most_bytes
            super().add(side, items)
            most_waiting = max(most_waiting, self.most_waiting)
            most_bytes = max(most_bytes, self.waiting_bytes)

    monkeypatch.setattr(module, "Join", Watched)
    source = FakeTable(MANY, order=lambda k: k)
    target = FakeTable(planted(), order=lambda k: bytes(255 - byte for byte in k))
    totals, differences = await compared(plan_of(tmp_path), source, target)
    assert (totals.matching, totals.missing, totals.different, totals.extra) == (288, 7, 5, 3)
    assert kinds(differences) == {"missing": 7, "different": 5, "extra": 3}
    assert most_waiting <= 40 + 10  # one page more
    assert most_bytes <= 50 * 2 * len(item("x100"))
    assert max(source.most_keys_at_once, target.most_keys_at_once) <= KEYS_AT_ONCE


async def test_when_bytes_pile_up_only_keys_and_digests_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING_BYTES", 200)
    source = FakeTable(MANY, order=lambda k: k)
    target = FakeTable(MANY, order=lambda k: bytes(255 - byte for byte in k))
    totals, differences = await compared(plan_of(tmp_path), source, target)
    assert (totals.matching, differences) == (300, [])
    assert source.looked_up == target.looked_up == []  # all cancelled out by their digests


async def test_the_digests_of_both_tables_agree_when_their_items_do(tmp_path: Path) -> None:
    other_notation = [one.replace(b'"N":"0"', b'"N":"0.0"') for one in MANY]
    source, target = FakeTable(MANY, segments=3), FakeTable(other_notation, segments=3)
    plan = plan_of(tmp_path)
    async with opened(plan, 3) as store:
        tools = tools_of(plan, store, source, target)
        await tools.comparison.compare(range(3), StopSignal())
        of_source, of_target = digests(await store.read_segments(0))
    assert of_source == of_target
    assert of_source.count == 300
    assert (await store_free_digest(tmp_path, planted())) != of_source


async def store_free_digest(tmp_path: Path, items: Sequence[bytes]) -> object:
    plan = plan_of(tmp_path / "other")
    async with opened(plan) as store:
        tools = tools_of(plan, store, FakeTable(MANY), FakeTable(items))
        await tools.comparison.compare([0], StopSignal())
        return digests(await store.read_segments(0))[1]


async def test_a_table_of_small_items_is_bounded_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One page holds more than may wait."""
    monkeypatch.setattr(module, "MOST_WAITING_ITEMS", 10)
    monkeypatch.setattr(module, "KEYS_READ_AT_ONCE", 5)
    source = FakeTable(MANY, page_items=100)
    totals, differences = await compared(plan_of(tmp_path), source, FakeTable())
    assert (totals.source_items, totals.missing, len(differences)) == (300, 300, 300)


async def test_a_rejected_item_is_distinguished_from_a_missing_one(tmp_path: Path) -> None:
    totals, differences = await compared(
        plan_of(tmp_path), FakeTable(MANY), FakeTable(MANY[3:]), rejected={key(1), key(250)}
    )
    assert (totals.missing, totals.rejected, totals.matching) == (2, 1, 297)
    assert kinds(differences) == {"missing": 2, "rejected": 1}


async def test_keys_left_unprocessed_are_asked_for_again(tmp_path: Path) -> None:
    source, target = FakeTable(MANY), FakeTable(MANY[3:])
    source.unprocessed_first = target.unprocessed_first = True
    totals, _ = await compared(plan_of(tmp_path), source, target)
    assert (totals.matching, totals.missing) == (297, 3)


async def test_a_throttled_page_is_asked_for_again_and_counted_once(tmp_path: Path) -> None:
    source, target = FakeTable(MANY), FakeTable(MANY)
    throttles = iter([True, False, True])

    def throttle(_: int) -> None:
        if next(throttles, False):
            raise ThrottledError("slow down", code="ThrottlingException")

    source.before_page = throttle
    plan = plan_of(tmp_path)
    stats = ComparisonStats("orders", "orders-2", segments_total=1)
    async with opened(plan) as store:
        tools = tools_of(plan, store, source, target, stats=stats)
        assert await tools.comparison.compare([0], StopSignal())
        totals = await store.read_totals(0)
        counters = await store.read_counters(0)
    assert (totals.source_items, totals.matching) == (300, 300)
    assert counters.throttled_requests == stats.throttled_requests == 2
    assert counters.read_units == 60.0  # 30 pages of each side


async def test_a_stop_keeps_what_is_done_and_drops_the_suspects_of_what_is_not(
    tmp_path: Path,
) -> None:
    source, target = FakeTable(MANY, segments=4), FakeTable(planted(), segments=4)
    plan = plan_of(tmp_path)
    stop = StopSignal()
    finished: list[int] = []
    async with opened(plan, 4) as store:
        finish = store.finish_segment

        async def finish_and_stop(table: int, segment: object, counters: object) -> None:
            await finish(table, segment, counters)  # type: ignore[arg-type]
            finished.append(segment.segment)  # type: ignore[attr-defined]
            stop.ask()
            await anyio.sleep_forever()

        store.finish_segment = finish_and_stop  # type: ignore[method-assign]
        assert not await tools_of(plan, store, source, target).comparison.compare(range(4), stop)
        store.finish_segment = finish  # type: ignore[method-assign]
        assert finished
        done = [one.segment for one in await store.read_segments(0)]
        assert set(finished) <= set(done) < set(range(4))  # a write that had begun was finished

        await store.begin_attempt("0", 2.0)
        remaining = [segment for segment in range(4) if segment not in done]
        tools = tools_of(plan, store, source, target)
        assert await tools.comparison.compare(remaining, StopSignal())
        totals = await store.read_totals(0)
    assert (totals.source_items, totals.target_items) == (300, 296)
    assert (totals.matching, totals.missing, totals.different, totals.extra) == (288, 7, 5, 3)


async def in_flux_case(
    tmp_path: Path, change: Callable[[FakeTable, FakeTable, int], None]
) -> ComparisonTotals:
    """The totals where item 1 differs at first, and `change` comes before each look."""
    source, target = FakeTable([item(1, 1), item(2)]), FakeTable([item(1, 0), item(2)])
    looks = 0

    def before(_: Sequence[bytes]) -> None:
        nonlocal looks
        looks += 1
        change(source, target, looks)

    source.before_find = before
    totals, _ = await compared(plan_of(tmp_path), source, target)
    return totals


async def test_what_is_the_same_by_the_first_look_up_matches(tmp_path: Path) -> None:
    def arrives(source: FakeTable, target: FakeTable, look: int) -> None:
        target.items[key(1)] = item(1, 1)

    totals = await in_flux_case(tmp_path, arrives)
    assert (totals.matching, totals.different, totals.in_flux) == (2, 0, 0)


async def test_what_is_the_same_by_the_second_look_up_matches(tmp_path: Path) -> None:
    def arrives(source: FakeTable, target: FakeTable, look: int) -> None:
        if look == 2:
            target.items[key(1)] = item(1, 1)

    totals = await in_flux_case(tmp_path, arrives)
    assert (totals.matching, totals.different, totals.in_flux) == (2, 0, 0)


@pytest.mark.parametrize("side", ["source", "target"])
async def test_what_differs_at_both_look_ups_is_different_whatever_changed_in_between(
    tmp_path: Path, side: str
) -> None:
    def keeps_changing(source: FakeTable, target: FakeTable, look: int) -> None:
        table = source if side == "source" else target
        table.items[key(1)] = item(1, 100 + look)

    totals = await in_flux_case(tmp_path, keeps_changing)
    assert (totals.matching, totals.different, totals.in_flux) == (1, 1, 0)


@pytest.mark.parametrize("kind", ["missing", "extra"])
async def test_what_only_one_side_has_at_both_look_ups_is_so_whatever_changed_in_between(
    tmp_path: Path, kind: str
) -> None:
    def keeps_changing(source: FakeTable, target: FakeTable, look: int) -> None:
        has, lacks = (source, target) if kind == "missing" else (target, source)
        has.items[key(1)] = item(1, 100 + look)
        lacks.items.pop(key(1), None)

    totals = await in_flux_case(tmp_path, keeps_changing)
    assert (getattr(totals, kind), totals.in_flux) == (1, 0)


async def test_what_is_missing_first_and_different_then_is_undecided(tmp_path: Path) -> None:
    def arrives_late(source: FakeTable, target: FakeTable, look: int) -> None:
        source.items[key(1)] = item(1, 100 + look)
        if look == 1:
            target.items.pop(key(1))
        else:
            target.items[key(1)] = item(1, 101)

    totals = await in_flux_case(tmp_path, arrives_late)
    assert (totals.matching, totals.different, totals.missing, totals.in_flux) == (1, 0, 0, 1)


async def test_what_look_ups_of_keys_settled_is_counted(tmp_path: Path) -> None:
    """One arrives by the first look, one is deleted on both sides by the second."""
    source, target = FakeTable([item(1), item(2)]), FakeTable([item(2, 5)])
    looks = 0

    def before(_: Sequence[bytes]) -> None:
        nonlocal looks
        looks += 1
        if looks == 1:
            target.items[key(1)] = item(1)
        else:
            del source.items[key(2)], target.items[key(2)]

    source.before_find = before
    totals, differences = await compared(plan_of(tmp_path), source, target)
    assert (totals.matching, totals.settled_by_key, differences) == (1, 2, [])


class ShownTwice(FakeTable):
    """A table whose scan ends with a page that shows its first item again, perhaps changed."""

    again = item(0)

    async def read_page(
        self, segment: int, exclusive_start_key: bytes | None, limit: int | None = None
    ) -> Page:
        page = await super().read_page(segment, exclusive_start_key, limit)
        if page.last_evaluated_key is None:
            page.items.append(Raw(self.again))
        return page


@pytest.mark.parametrize("again", [item(0), item(0, 1)])
@pytest.mark.parametrize("page_items", [1, 10])
async def test_a_scan_that_shows_a_key_twice_is_not_believed(
    tmp_path: Path, again: bytes, page_items: int
) -> None:
    source = ShownTwice([item(n) for n in range(10)], page_items=page_items)
    source.again = again
    with pytest.RaisesGroup(
        pytest.RaisesExc(RequestRefusedError, match="the same item twice"), flatten_subgroups=True
    ):
        await compared(plan_of(tmp_path), source, FakeTable())


async def test_a_page_that_begins_with_the_last_item_of_the_one_before_is_not_believed(
    tmp_path: Path,
) -> None:
    """It would cancel out what is equal, and wait for nothing but a look that finds it equal."""

    class Overlapping(FakeTable):
        async def read_page(
            self, segment: int, exclusive_start_key: bytes | None, limit: int | None = None
        ) -> Page:
            start = int(exclusive_start_key or b"1") - 1
            return await super().read_page(segment, b"%d" % start, limit)

    with pytest.RaisesGroup(
        pytest.RaisesExc(RequestRefusedError, match="the same item twice"), flatten_subgroups=True
    ):
        await compared(plan_of(tmp_path), Overlapping(MANY), FakeTable(MANY))


async def test_what_is_deleted_on_both_sides_meanwhile_is_nothing(tmp_path: Path) -> None:
    def deleted(source: FakeTable, target: FakeTable, look: int) -> None:
        source.items.pop(key(1), None)
        target.items.pop(key(1), None)

    totals = await in_flux_case(tmp_path, deleted)
    assert (totals.matching, totals.missing, totals.extra, totals.in_flux) == (1, 0, 0, 0)


async def test_what_is_newly_written_on_both_sides_is_no_difference(tmp_path: Path) -> None:
    """The target's scan sees the item, the source's did not."""
    source, target = FakeTable([item(2)]), FakeTable([item(1), item(2)])
    source.before_find = lambda _: source.items.update({key(1): item(1)})
    totals, differences = await compared(plan_of(tmp_path), source, target)
    assert (totals.matching, totals.extra, differences) == (1, 0, [])


async def test_a_difference_is_looked_up_again_only_after_it_had_time_to_settle(
    tmp_path: Path,
) -> None:
    plan = plan_of(tmp_path, settle_seconds=30.0)
    now, slept = 1000.0, list[float]()

    async def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds

    async with opened(plan) as store:
        tools = tools_of(plan, store, FakeTable([item(1)]), FakeTable(), clock=lambda: now)
        tools.comparison._sleep = sleep
        assert await tools.comparison.compare([0], StopSignal())
        totals = await store.read_totals(0)
    assert slept == [30.0]
    assert totals.missing == 1
