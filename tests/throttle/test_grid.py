"""Targets of other shapes than those at which the pace was tuned, at default settings."""

import pytest

from benchmarks.simulator import Latency, OnDemand, Partitions, Provisioned, Table
from benchmarks.throttle.cases import Case
from benchmarks.throttle.grid import MOST_ITEMS_PER_SECOND, Point, case_of, points, sample
from benchmarks.throttle.over_grid import Reached, are_enough, try_point
from benchmarks.throttle.virtual import run_virtual


def point(
    burst: float, latency: float, partitions: int, item_bytes: int, *, by_table: bool = False
) -> Point:
    return Point(
        burst_seconds=burst,
        latency_seconds=latency,
        partitions=partitions,
        item_bytes=item_bytes,
        limit="table" if by_table else "partitions",
    )


@pytest.mark.parametrize(
    "point",
    [
        point(0.2, 0.005, 12, 4096),
        point(0.2, 0.002, 12, 10_240),
        point(300.0, 0.002, 4, 1024),
        point(0.2, 0.005, 2, 200),
        point(1.0, 0.02, 1, 10_240),
        point(60.0, 0.005, 2, 1024, by_table=True),
        point(0.2, 0.08, 4, 4096, by_table=True),
        point(300.0, 0.08, 1, 200, by_table=True),
        # Partitions that take less than is known of, in ranges that would hold one another back.
        point(0.2, 0.005, 64, 200),
        point(1.0, 0.002, 64, 200),
        point(1.0, 0.08, 64, 200),
        # So far away that small pages could not be read fast enough.
        point(1.0, 0.08, 64, 4096, by_table=True),
    ],
    ids=lambda point: point.title,
)
@pytest.mark.parametrize("seed", [1])  # more: python -m benchmarks.throttle --grid N --seed N
def test_a_shape_of_the_grid_is_used_and_hardly_throttled(point: Point, seed: int) -> None:
    reached = try_point(point, seed)
    assert reached.share >= 0.85
    assert reached.throttled <= 0.05


def test_the_grid_is_as_wide_as_is_asked_and_each_point_can_be_tried() -> None:
    grid = list(points())
    assert {p.partitions for p in grid} >= {1, 64}
    assert {p.burst_seconds for p in grid} >= {0.2, 300.0}
    assert {p.latency_seconds for p in grid} >= {0.002, 0.08}
    assert {p.item_bytes for p in grid} >= {200, 10_240}
    for each in grid:
        case = case_of(each)
        assert case.segments is None, "at default settings"
        assert case.source.items <= 35 * MOST_ITEMS_PER_SECOND
    assert sample(5, 1) == sample(5, 1) != sample(5, 2)


def test_a_grid_is_enough_where_nearly_all_reach_it_and_none_is_far_below() -> None:
    def reached(*shares: float) -> list[Reached]:
        return [
            Reached(
                point=point(1.0, 0.005, 1, 200),
                seed=1,
                share=share,
                throttled=0.0,
                partial=0.0,
                throttled_items=0.0,
            )
            for share in shares
        ]

    assert are_enough(reached(*[0.9] * 19, 0.8))
    assert not are_enough(reached(*[0.9] * 19, 0.69))
    assert not are_enough(reached(*[0.9] * 18, 0.8, 0.8))


def items_per_second(undone_share: float, *, segments: int, write_units: float) -> float:
    """What is written from ten seconds on, where such a share of items is left by chance."""
    case = Case(
        name="undone",
        title="items left undone by chance",
        source=Table(
            name="source",
            sort_key="sk",
            items=int(35 * write_units),
            capacity=OnDemand(read_units=40_000, write_units=10),
        ),
        target=Table(
            name="target",
            sort_key="sk",
            capacity=Provisioned(write_units=write_units, read_units=10, burst_seconds=1),
            partitions=Partitions(count=64),
            latency=Latency(write_seconds=0.005),
            undone_share=undone_share,
        ),
        seconds=30,
        segments=segments,
    )
    report = run_virtual(case).report.tables["target"]
    seconds = [s for s in report.seconds[:-1] if s.second >= 10]
    return sum(s.items_written for s in seconds) / len(seconds)


@pytest.mark.parametrize(("segments", "write_units"), [(1, 600.0), (1, 2000.0), (64, 3000.0)])
@pytest.mark.parametrize("undone_share", [0.01, 0.05])
def test_what_is_left_undone_by_chance_slows_nobody_down(
    undone_share: float, segments: int, write_units: float
) -> None:
    written = items_per_second(undone_share, segments=segments, write_units=write_units)
    assert written >= 0.8 * write_units
