"""What a row notes of its answers, by a clock that moves when it is told to."""

from dynaferry.copy.batcher import Batch
from dynaferry.copy.row import LOOK_SECONDS, Row
from dynaferry.ports import WriteResult
from tests.worlds.fakes import wire_item


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def row_of(*sizes: int) -> tuple[Row, Clock]:
    clock = Clock()
    batches = [Batch(3, 7, [wire_item(str(n)) for n in range(size)]) for size in sizes]
    row = Row(batches, 25.0, 20.0)
    row.begin(clock, lambda: True)
    return row, clock


def test_answers_are_counted_timed_and_summed() -> None:
    row, clock = row_of(25, 25, 10)
    for seconds, units in ((0.25, 25.0), (0.5, 25.0), (1.0, 10.0)):
        clock.now += seconds
        assert row.took(WriteResult((), units))
    assert (row.answered, row.seconds, row.consumed) == (3, [0.25, 0.5, 1.0], 60.0)
    assert (row.items_written, row.all_units, row.segment) == (60, 75.0, 3)
    assert (list(row.unsent), row.left) == ([], None)


def test_units_that_the_service_does_not_say_are_not_known_for_the_whole_row() -> None:
    row, _ = row_of(1, 1, 1)
    for units in (1.0, None, 1.0):
        row.took(WriteResult((), units))
    assert row.consumed is None


def test_an_answer_that_is_not_whole_ends_the_row() -> None:
    row, clock = row_of(25, 25, 25)
    row.took(WriteResult((), 25.0))
    clock.now += 2.0
    assert not row.took(WriteResult(row.batches[1].items[20:], 20.0))
    assert (row.items_written, row.consumed, row.left_seconds) == (25, 25.0, 2.0)
    assert row.last is row.batches[1]
    assert list(row.unsent) == [row.batches[2]]


def test_a_failure_is_of_the_batch_behind_those_that_were_answered() -> None:
    row, clock = row_of(25, 25, 25)
    row.took(WriteResult((), 25.0))
    clock.now += 0.5
    assert row.fail() == 0.5
    assert row.last is row.batches[1]
    assert list(row.unsent) == [row.batches[2]]


def test_whether_it_may_go_on_is_asked_in_time_and_not_after_every_answer() -> None:
    row, clock = row_of(1, 1, 1, 1)
    asked: list[float] = []

    def may_go_on() -> bool:
        asked.append(clock.now)
        return False

    row.begin(clock, may_go_on)
    clock.now += LOOK_SECONDS / 2
    assert row.took(WriteResult((), 1.0))
    assert asked == []
    clock.now += LOOK_SECONDS / 2 + 1e-6
    assert not row.took(WriteResult((), 1.0))
    assert len(asked) == 1
