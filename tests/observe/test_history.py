from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dynaferry.observe.history import History, Point, point_of
from dynaferry.observe.stats import RunStats, TableStats


def point(second: int) -> Point:
    return Point(float(second), second * 10, second * 0.5, second * 2.0, 0, second, None, None)


@given(looks=st.integers(1, 700), most=st.integers(2, 40))
def test_a_history_is_bounded_even_and_holds_the_first_and_the_newest_point(
    looks: int, most: int
) -> None:
    history: History[Point] = History(most)
    for second in range(looks):
        history.add(point(second))
    points = list(history)
    assert len(points) <= most + 1
    assert (points[0], points[-1]) == (point(0), point(looks - 1))
    steps = [after.seconds - before.seconds for before, after in pairwise(points[:-1])]
    assert len(set(steps)) <= 1


def test_the_limit_of_a_run_is_that_of_the_tables_that_run() -> None:
    tables = [
        TableStats("a", "a", 1, state="running", write_rate_limit_units=100.0),
        TableStats("b", "b", 1, state="running", write_rate_limit_units=50.0),
        TableStats("c", "c", 1, state="waiting"),
    ]
    stats = RunStats("run", tables)
    assert point_of(stats, 1.0).write_limit == 150.0
    assert point_of(stats, 1.0).read_limit is None
    stats.write_cap_units = 120.0  # of the run: both tables live on it
    assert point_of(stats, 1.0).write_limit == 120.0
    tables[0].write_rate_limit_units = None
    assert point_of(stats, 1.0).write_limit is None
