import stat
from pathlib import Path

import pytest
from anyio import to_thread

from dynaferry.errors import StateError
from dynaferry.state.directory import find_runs, state_path
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.verify.state.records import (
    ComparedSegment,
    ComparisonCounters,
    ComparisonTotals,
    Difference,
    Suspect,
)
from dynaferry.verify.state.store import VerificationStore
from tests.verify.small_verify import opened, plan_of, record_of

COUNTERS = ComparisonCounters(read_units=1.5, throttled_requests=2, retried_requests=3)


def _files_but_locks(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir() if path.suffix != ".lock"]


def segment(number: int) -> ComparedSegment:
    return ComparedSegment(
        segment=number,
        source_items=10,
        target_items=9,
        matching=8,
        source_digest="0" * 31 + "a",
        target_digest="0" * 31 + "b",
    )


def suspect(number: int, key: bytes, seen_at: float = 1.0) -> Suspect:
    return Suspect(number, key, True, b"s" * 16, None, seen_at)


async def test_what_was_stored_is_read_back_after_it_was_opened_again(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    async with opened(plan, 4) as store:
        await store.begin_attempt("1.0", 5.0)
        await store.add_suspects(0, [suspect(1, b"a"), suspect(1, b"b")])
        await store.finish_segment(0, segment(1), COUNTERS)
        found = Difference(key=b"b", kind="different", attributes=("x", "y"), target_digest=b"t")
        await store.settle(
            0, [suspect(1, b"b")], matching=1, differences=[found], counters=COUNTERS
        )
        await store.end_attempt("interrupted", 6.0, ("E", "what", "hint"))
    store = await VerificationStore.open(tmp_path, plan.copy.run_name)
    try:
        run = await store.read_run()
        assert (run.status, run.attempts, run.version) == ("interrupted", 1, "1.0")
        assert (run.error_type, run.error_message, run.error_hint) == ("E", "what", "hint")
        assert run.identity == record_of(plan, 4).identity
        assert await store.read_segments(0) == [segment(1)]
        assert await store.read_counters(0) == COUNTERS
        assert await store.read_suspects(0, 1.0, 10) == [suspect(1, b"a")]
        assert await store.read_differences(0, 10) == [found]
        assert await store.read_totals(0) == ComparisonTotals(
            segments_compared=1,
            source_items=10,
            target_items=9,
            matching=9,
            different=1,
            unconfirmed=1,
        )
    finally:
        await store.aclose()


async def test_suspects_of_segments_that_are_not_done_are_dropped_when_it_goes_on(
    tmp_path: Path,
) -> None:
    async with opened(plan_of(tmp_path), 4) as store:
        await store.add_suspects(0, [suspect(1, b"a"), suspect(2, b"b")])
        await store.finish_segment(0, segment(1), COUNTERS)
        await store.begin_attempt("1.0", 5.0)
        assert [one.key for one in await store.read_suspects(0, 1.0, 10)] == [b"a"]


async def test_suspects_come_oldest_first_and_only_when_they_are_due(tmp_path: Path) -> None:
    async with opened(plan_of(tmp_path), 4) as store:
        assert await store.oldest_suspect(0) is None
        await store.add_suspects(0, [suspect(1, b"a", 3.0), suspect(1, b"b", 2.0)])
        assert await store.oldest_suspect(0) == 2.0
        assert [one.key for one in await store.read_suspects(0, 2.5, 10)] == [b"b"]
        assert [one.key for one in await store.read_suspects(0, 9.0, 1)] == [b"b"]


async def test_a_suspect_that_the_source_has_shown_once_stays_one_of_the_source(
    tmp_path: Path,
) -> None:
    async with opened(plan_of(tmp_path), 4) as store:
        await store.add_suspects(0, [suspect(1, b"a")])
        await store.add_suspects(0, [Suspect(1, b"a", False, None, b"t" * 16, 7.0)])
        (stored,) = await store.read_suspects(0, 9.0, 10)
        assert stored == Suspect(1, b"a", True, None, b"t" * 16, 7.0)


async def test_differences_are_read_page_by_page_without_those_repaired_or_in_flux(
    tmp_path: Path,
) -> None:
    async with opened(plan_of(tmp_path)) as store:
        found = [Difference(key=b"%d" % n, kind="missing") for n in range(5)]
        flux = Difference(key=b"3x", kind="in_flux")
        await store.settle(0, [], matching=0, differences=[*found, flux], counters=COUNTERS)
        await store.mark_repaired(0, [b"1"], "written", COUNTERS)
        await store.mark_repaired(0, [b"2"], "agreed", COUNTERS)
        first = await store.read_differences(0, 2)
        assert [one.key for one in first] == [b"0", b"3"]
        assert [one.key for one in await store.read_differences(0, 2, b"3")] == [b"4"]
        assert await store.read_in_flux(0, 5) == [flux]
        totals = await store.read_totals(0)
        assert (totals.missing, totals.in_flux, totals.written, totals.agreed) == (3, 1, 1, 1)


async def test_it_is_a_file_of_its_own_kind_that_no_other_reader_takes_for_a_run(
    tmp_path: Path,
) -> None:
    plan = plan_of(tmp_path)
    async with opened(plan):
        pass
    path = state_path(tmp_path, f"{plan.copy.run_name}.verify")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert await to_thread.run_sync(find_runs, tmp_path) == []
    with pytest.raises(StateError, match="did not make"):
        await SqliteStore.open(tmp_path, f"{plan.copy.run_name}.verify")
    # And the other way round.
    copied = b"".join([path.read_bytes()[:68], b"dfry", path.read_bytes()[72:]])
    path.write_bytes(copied)
    with pytest.raises(StateError, match="did not make"):
        await VerificationStore.open(tmp_path, plan.copy.run_name)
    with pytest.raises(StateError, match="did not make"):
        await VerificationStore.discard(tmp_path, plan.copy.run_name)
    assert path.read_bytes() == copied


async def test_discarded_its_name_is_free_again_and_not_while_somebody_works_on_it(
    tmp_path: Path,
) -> None:
    plan = plan_of(tmp_path)
    run = plan.copy.run_name
    async with opened(plan):
        with pytest.raises(StateError):
            await VerificationStore.discard(tmp_path, run)
        with pytest.raises(StateError):
            await VerificationStore.open(tmp_path, run)
    await VerificationStore.discard(tmp_path, run)
    assert await to_thread.run_sync(_files_but_locks, tmp_path) == []
    await VerificationStore.try_out(tmp_path, run)
    async with opened(plan) as store:
        assert (await store.read_run()).attempts == 0


async def test_a_damaged_one_is_refused_and_may_be_discarded(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    async with opened(plan):
        pass
    path = state_path(tmp_path, f"{plan.copy.run_name}.verify")
    whole = path.read_bytes()
    path.write_bytes(whole[:200] + b"\xff" * 3000 + whole[3200:])
    with pytest.raises(StateError, match="damaged"):
        await VerificationStore.open(tmp_path, plan.copy.run_name)
    await VerificationStore.discard(tmp_path, plan.copy.run_name)
    assert not path.exists()
