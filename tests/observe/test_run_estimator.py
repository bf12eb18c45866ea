"""The estimator of a run under way, replayed over shapes; no test sleeps or reads a clock."""

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynaferry.observe.estimator import RunProgress
from dynaferry.observe.run_estimator import RunEstimator
from dynaferry.observe.stats import RunStats, TableStats
from tests.observe.shapes import RunShape, TableShape, even, replayed, shapes

# Of what is left, from a third of the way on; near the end seconds count, and not shares of them.
WITHIN = 0.2
SECONDS, SHARE_OF_ALL = 10.0, 0.02


def _progress(
    shape: RunShape, step: float = 1.0, estimator: RunEstimator | None = None
) -> Iterator[tuple[float, RunStats, RunProgress]]:
    estimator = estimator or RunEstimator(shape.tables[0].readers)
    for now, stats in replayed(shape, step=step):
        stats.progress = estimator.sample(stats, now)
        yield now, stats, stats.progress


@pytest.mark.parametrize("name", shapes())
def test_from_a_third_on_the_end_of_all_is_known_to_a_fifth(name: str) -> None:
    shape = shapes()[name]
    is_large = sum(table.items for table in shape.tables) > 20_000_000
    seen = [(now, progress.total) for now, _, progress in _progress(shape, 5 if is_large else 1)]
    end = seen[-1][0]
    told = 0
    for now, total in seen:
        if not end / 3 <= now < end or total.eta_seconds is None:
            continue
        told += 1
        wrong, left = abs(total.eta_seconds - (end - now)), end - now
        assert wrong <= max(WITHIN * left, SECONDS, SHARE_OF_ALL * end), (now, end, total)
    assert told > 0.95 * sum(end / 3 <= now < end for now, _ in seen)


@pytest.mark.parametrize("name", shapes())
def test_no_share_falls_and_only_what_is_complete_is_whole(name: str) -> None:
    before: list[float] = []
    for _, stats, progress in _progress(shapes()[name], 5):
        now = [seen.progress_ratio for seen in (*progress.tables, progress.total)]
        assert all(map(float.__le__, before, now))
        for table, seen in zip(stats.tables, progress.tables, strict=True):
            assert (seen.progress_ratio == 1.0) == (table.state == "complete")
        before = now
    assert before == [1.0] * len(before)


@pytest.mark.parametrize("name", shapes())
def test_the_end_is_never_in_0_seconds_while_something_is_left(name: str) -> None:
    for _, stats, progress in _progress(shapes()[name], 5):
        if any(table.state != "complete" for table in stats.tables):
            assert progress.total.eta_seconds is None or progress.total.eta_seconds > 0
        for seen in progress.tables:
            assert seen.eta_seconds is None or seen.eta_seconds > 0


some_tables = st.lists(
    st.tuples(
        st.lists(st.integers(0, 2_000), min_size=1, max_size=40),
        st.integers(0, 60_000),
        st.floats(50, 2_000),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(some_tables, st.integers(1, 4), st.integers(0, 1_000))
def test_of_any_tables_no_share_falls_and_no_end_is_now(
    tables: list[tuple[list[int], int, float]], at_once: int, seed: int
) -> None:
    shape = RunShape(
        [TableShape(segments, count, rate, readers=4) for segments, count, rate in tables],
        at_once=at_once,
        noise=0.5,
        seed=seed,
    )
    before: list[float] = []
    for _, stats, progress in _progress(shape):
        all_of_it = (*progress.tables, progress.total)
        now = [seen.progress_ratio for seen in all_of_it]
        assert all(map(float.__le__, before, now))
        for seen in all_of_it:
            assert seen.eta_seconds is None or seen.eta_seconds > 0
            assert seen.expected_items is None or seen.expected_items >= seen.items_done
        if any(table.state != "complete" for table in stats.tables):
            assert progress.total.progress_ratio < 1.0
        before = now


def test_a_resumed_run_begins_where_it_was_seen_last_whatever_the_count_says_now() -> None:
    table = TableStats("t", "t", segments_total=64, expected_items=9_000, items_written=500)
    estimator = RunEstimator(8, shown=[0.7], total_shown=0.7)
    progress = estimator.sample(RunStats("r", [table]), 0.0)
    assert progress.tables[0].progress_ratio == progress.total.progress_ratio == 0.7


def test_a_paused_run_has_no_end_and_goes_on_with_its_rate() -> None:
    table = TableStats("t", "t", segments_total=64, expected_items=100_000, state="running")
    stats, estimator = RunStats("r", [table]), RunEstimator(8)
    for second in range(60):
        table.items_written = second * 1_000
        before = estimator.sample(stats, float(second))
    assert before.total.eta_seconds == pytest.approx(41)
    stats.paused = True
    for second in range(60, 3_600):
        paused = estimator.sample(stats, float(second))
        assert paused.total.eta_seconds is paused.tables[0].eta_seconds is None
    stats.paused = False
    table.items_written += 1_000
    after = estimator.sample(stats, 3_600.0)
    assert after.total.eta_seconds == pytest.approx(40, rel=0.05)


def test_a_paused_table_has_no_end_and_neither_has_the_whole_while_others_go_on() -> None:
    tables = [
        TableStats(name, name, segments_total=64, expected_items=100_000, state="running")
        for name in ("a", "b")
    ]
    stats, estimator = RunStats("r", tables, tables_at_once=2), RunEstimator(8)
    for second in range(120):
        tables[0].paused = 30 <= second < 90
        for table in tables:
            table.items_written += 0 if table.paused else 100
        progress = estimator.sample(stats, float(second))
        if tables[0].paused:
            assert progress.tables[0].eta_seconds is progress.total.eta_seconds is None
            assert progress.tables[1].eta_seconds is not None
    assert progress.tables[0].eta_seconds == pytest.approx(940, rel=0.05)
    assert progress.total.eta_seconds == progress.tables[0].eta_seconds


def test_while_everything_is_refused_the_end_is_unknown() -> None:
    table = TableStats("t", "t", segments_total=64, expected_items=100_000, state="running")
    stats, estimator = RunStats("r", [table]), RunEstimator(8)
    for second in range(30):
        table.items_written = second * 1_000
        estimator.sample(stats, float(second))
    told = []
    for second in range(30, 60):
        table.throttled_requests += 1
        told.append(estimator.sample(stats, float(second)).total.eta_seconds)
    assert told[0] is not None
    assert told[-1] is None


def test_a_stalled_run_has_no_end() -> None:
    table = TableStats("t", "t", segments_total=64, expected_items=100_000, state="running")
    stats, estimator = RunStats("r", [table]), RunEstimator(8)
    for second in range(60):
        table.items_written, table.checkpointed_at = second * 1_000, float(second)
        estimator.sample(stats, float(second))
    table.items_written += 1_000
    assert estimator.sample(stats, 100.0).total.eta_seconds is None


def test_before_anything_is_measured_the_plan_says_when_all_ends() -> None:
    tables = [
        TableStats("t", "t", segments_total=8, expected_items=1_000, planned_seconds=seconds)
        for seconds in (100.0, 60.0, 50.0)
    ]
    tables[0].state = "running"
    stats = RunStats("r", tables, tables_at_once=2)
    assert RunEstimator(8).sample(stats, 0.0).total.eta_seconds == 110.0


def _killed(shape: RunShape, rng: random.Random) -> RunShape:
    """What a later attempt has: the service counts anew."""
    tables = [
        replace(table, reported=round(table.items * rng.uniform(0.7, 1.4)))
        for table in shape.tables
    ]
    return replace(shape, tables=tables, seed=rng.randrange(10**6))


@pytest.mark.parametrize("seed", range(20))
def test_no_share_falls_over_kills(seed: int) -> None:
    """What was shown is stored; items fall back to the checkpoint, and the count is another."""
    rng = random.Random(seed)
    tables = [
        TableShape(even(rng.randrange(1_000, 90_000), rng.randrange(1, 80), seed + i), 0, 900.0)
        for i in range(rng.randrange(1, 5))
    ]
    shape = _killed(RunShape(tables, at_once=2, noise=0.5), rng)
    shown = [0.0] * (len(tables) + 1)
    for _ in range(5):
        shape = _killed(shape, rng)
        estimator = RunEstimator(8, shown=shown[:-1], total_shown=shown[-1])
        lives = rng.randrange(1, 120)
        for second, (_, _, progress) in enumerate(_progress(shape, estimator=estimator)):
            now = [seen.progress_ratio for seen in (*progress.tables, progress.total)]
            assert all(map(float.__le__, shown, now))
            shown = now
            if second > lives:
                break
