"""Rates of a move, whether it only falls behind, and what holds it back."""

from dynaferry.follow.held_back import HeldBack, HeldBy
from dynaferry.follow.spool_records import SpoolCounts
from dynaferry.follow.status import Rates
from dynaferry.observe.stats import RunStats, TableStats


def counts(captured: int, applied: int) -> SpoolCounts:
    return SpoolCounts(
        captured=captured,
        compacted=0,
        applied=applied,
        rejected=0,
        waiting=captured - applied,
        read_again=0,
        oldest_at=None,
        used_bytes=0,
        doubts=0,
        letters=0,
        open_gaps=0,
    )


def losing_after(seconds: int, come_in: int, go_out: int, *, applies: bool = True) -> bool:
    """Whether it is losing after so long, at so many changes a second, from an empty spool on."""
    rates, captured, applied = Rates(), 0, 0
    for now in range(seconds + 1):
        rates.note(float(now), counts(captured, applied), applies=applies)
        captured += come_in
        applied = min(captured, applied + go_out)
    return rates.is_losing


def test_rates_are_of_the_last_ten_seconds() -> None:
    rates = Rates()
    assert rates.note(0.0, counts(0, 0), applies=True) == (0.0, 0.0)
    for now in range(1, 30):
        told = rates.note(float(now), counts(100 * now, 40 * now), applies=True)
    assert told == (100.0, 40.0)


def test_it_is_losing_after_a_minute_in_which_more_came_in_than_went_out() -> None:
    assert not losing_after(59, 500, 100)
    assert losing_after(60, 500, 100)


def test_a_pause_of_the_writes_is_losing_too() -> None:
    assert losing_after(60, 500, 0)


def test_nothing_is_losing_while_nothing_is_applied_yet() -> None:
    assert not losing_after(600, 500, 0, applies=False)


def test_few_changes_are_on_their_way_in_any_case() -> None:
    assert not losing_after(60, 16, 0)
    assert losing_after(120, 16, 0)


def test_what_keeps_up_or_catches_up_is_not_losing() -> None:
    assert not losing_after(600, 500, 500)
    rates = Rates()
    for now in range(120):
        rates.note(float(now), counts(500_000 + 500 * now, 600 * now), applies=True)
        assert not rates.is_losing


def test_a_queue_that_goes_up_and_down_is_not_losing() -> None:
    rates, captured = Rates(), 5_000
    for now in range(600):
        captured += 2_000
        waiting = 1_500 + (now * 37) % 900
        rates.note(float(now), counts(captured, captured - waiting), applies=True)
        assert not rates.is_losing


def test_it_is_not_losing_any_more_once_it_catches_up() -> None:
    rates, captured, applied = Rates(), 0, 0
    for now in range(200):
        rates.note(float(now), counts(captured, applied), applies=True)
        captured += 500
        applied += 100 if now < 100 else 900
        if now == 99:
            assert rates.is_losing
    assert not rates.is_losing


class Follower:
    """The counters of a table that is followed, at so many write units a second."""

    def __init__(self, own_cap: float | None = None) -> None:
        self.run = RunStats("orders")
        self.table = TableStats("orders", "orders", 1)
        self.held_back = HeldBack(self.run, self.table, own_cap)

    def goes_on(self, write_units: float, *, reads: float = 0.0, throttles: int = 0) -> None:
        for now in range(60):
            self.table.write_units += write_units
            self.table.read_units += reads
            for _ in range(throttles):
                self.table.note_throttle("BatchWriteItem", ["TooFast"])
            self.held_back.note(float(now))


def test_a_cap_that_is_used_up_holds_it_back() -> None:
    follower = Follower()
    follower.run.write_cap_units = 100.0
    follower.goes_on(98.0, throttles=1)
    assert follower.held_back.by(reads_again=False) == HeldBy(
        "the cap of 100 write units a second",
        "raise --max-write-units (dynaferry set orders --max-write-units N)",
    )


def test_a_cap_far_above_what_is_used_holds_nothing_back() -> None:
    follower = Follower()
    follower.run.write_cap_units = 1000.0
    follower.goes_on(98.0)
    assert follower.held_back.by(reads_again=False) is None


def test_a_table_s_own_cap_is_raised_in_the_plan() -> None:
    follower = Follower(own_cap=100.0)
    follower.goes_on(99.0)
    held_by = follower.held_back.by(reads_again=False)
    assert held_by is not None
    assert held_by.remedy == "raise its max_write_units in the plan"


def test_throttles_and_what_is_left_undone_hold_it_back_by_the_target() -> None:
    follower = Follower()
    follower.goes_on(50.0, throttles=2)
    held_by = follower.held_back.by(reads_again=False)
    assert held_by == HeldBy("the target, which throttles", "raise its capacity")
    undone = Follower()
    undone.table.bottleneck = "index by-owner"
    for now in range(60):
        undone.table.unprocessed_items += 5
        undone.held_back.note(float(now))
    assert undone.held_back.by(reads_again=False) == HeldBy("index by-owner", "raise its capacity")


def test_a_cap_on_reads_holds_back_what_is_read_again() -> None:
    follower = Follower()
    follower.run.read_cap_units = 10.0
    follower.goes_on(5.0, reads=10.0)
    assert follower.held_back.by(reads_again=False) is None
    held_by = follower.held_back.by(reads_again=True)
    assert held_by is not None
    assert "--max-read-units" in held_by.remedy


def test_a_pause_holds_it_back_before_all_else() -> None:
    follower = Follower()
    follower.run.paused, follower.run.write_cap_units = True, 1.0
    follower.goes_on(1.0)
    assert follower.held_back.by(reads_again=False) == HeldBy(
        "a pause", "resume it (dynaferry resume orders)"
    )
