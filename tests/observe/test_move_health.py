"""A move is well while it is read and applied, or something explains that it is not."""

import pytest

from dynaferry.observe.health import Health
from dynaferry.observe.monitor import RunMonitor
from dynaferry.observe.move_status import MoveStatus
from dynaferry.observe.stats import RunStats, TableStats
from tests.observe.moves import a_move_status
from tests.observe.test_segment_map import Clock


class Watched:
    """A move that is sampled each second; its copy is complete."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.table = TableStats("orders", "orders-copy", 8, state="complete")
        self.monitor = RunMonitor("orders", readers=8, clock=self.clock)
        self.monitor.stats = RunStats("orders", [self.table])
        self.monitor.phase = "running"

    def after(self, seconds: int, status: MoveStatus) -> Health:
        for _ in range(seconds):
            self.clock.now += 1
            self.monitor.note_move([status])
        return self.monitor.health


@pytest.mark.parametrize("state", ["replaying", "following", "re-syncing"])
def test_a_move_with_nothing_to_do_is_well_for_hours(state: str) -> None:
    idle = a_move_status(state=state, spool_rows=0)
    assert Watched().after(7200, idle) == Health(ok=True, reason=state)


def test_a_move_that_applies_is_well_however_far_behind_it_is() -> None:
    watched = Watched()
    for applied in range(1000, 1300):
        health = watched.after(1, a_move_status(changes_applied=applied, lag_seconds=9_999.0))
    assert health.ok


def test_what_waits_and_is_not_applied_for_a_minute_is_reported() -> None:
    watched = Watched()
    assert watched.after(50, a_move_status()).ok
    stalled = watched.after(30, a_move_status())
    assert not stalled.ok
    assert "nothing was acknowledged" in stalled.reason
    assert watched.after(1, a_move_status(changes_applied=2000)).ok


def test_a_pause_explains_that_nothing_is_applied() -> None:
    watched = Watched()
    watched.monitor.stats.paused = True
    assert watched.after(600, a_move_status()) == Health(ok=True, reason="paused")
    watched.monitor.stats.paused = False
    assert watched.after(30, a_move_status()).ok  # its minute begins when it goes on


def test_throttles_explain_that_nothing_is_applied() -> None:
    watched = Watched()
    for _ in range(90):
        watched.table.note_throttle("BatchWriteItem", ["TooFast"])
        health = watched.after(1, a_move_status())
    assert health.ok
    assert health.reason.startswith("throttled")


def test_a_stream_that_is_not_read_is_reported_with_the_reason_also_during_the_copy() -> None:
    for state in ("copying", "following"):
        silent = a_move_status(state=state, capture_silent_seconds=75.0, trouble="no permission")
        health = Watched().after(1, silent)
        assert health == Health(ok=False, reason="the stream was not read for 75 s: no permission")


def test_an_old_position_that_is_being_read_is_no_silence() -> None:
    assert Watched().after(1, a_move_status(position_age_seconds=70_000.0)).ok


def test_a_copy_that_fails_is_reported_though_the_capture_is_well() -> None:
    watched = Watched()
    watched.table.state = "failed"
    assert watched.after(5, a_move_status(state="copying", lag_seconds=None)) == Health(
        ok=False, reason="failed"
    )
