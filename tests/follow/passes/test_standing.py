"""How a move by passes stands is told from its passes alone, in this process and from outside."""

import pytest

from dynaferry.follow.passes.standing import standing, state_of
from dynaferry.observe.move_status import MoveState
from dynaferry.state.move_records import Stage, TablePass
from tests.follow.passes.records import a_pass

NAMES = [("orders", "orders"), ("events", "events-2")]


@pytest.mark.parametrize(
    ("stage", "state"),
    [
        (None, "copying"),
        ("replaying", "replaying"),
        ("following", "following"),
        ("cutting-over", "following"),
        ("switched", "switched"),
    ],
)
def test_the_state_is_that_of_the_move(stage: Stage | None, state: MoveState) -> None:
    assert state_of(stage) == state


def test_a_table_is_as_far_behind_as_the_newest_pass_began() -> None:
    passes = [a_pass(1, began_at=1_000.0, found=300), a_pass(2, began_at=1_500.0, found=20)]
    orders, events = standing(NAMES, "following", passes, 1_800.0, next_at=1_900.0)
    assert (orders.source, events.source, events.target) == ("orders", "events", "events-2")
    assert (orders.lag_seconds, orders.ready, orders.not_ready) == (300.0, True, ())
    assert (orders.changes_captured, orders.changes_applied) == (320, 320)
    assert orders.passes == events.passes
    assert orders.passes is not None
    assert (orders.passes.done, orders.passes.found, orders.passes.next_at) == (2, 20, 1_900.0)
    assert orders.passes.outage_seconds is not None
    copying = standing(NAMES, None, [], 1_800.0)[0]
    assert (copying.lag_seconds, copying.ready, copying.not_ready) == (
        None,
        False,
        ("it is copying",),
    )


def test_what_is_refused_and_who_is_gone_speaks_against_a_switch() -> None:
    refusing = TablePass(source="events", target="events-2", items=5, left=1, refused=1, rejected=2)
    made = a_pass(1, tables=(refusing,))
    orders, events = standing(NAMES, "following", [made], 2_000.0, is_running=False)
    assert "no process follows it" in orders.not_ready[0]
    assert (events.rejected, events.not_ready[1]) == (
        3,
        "the target refuses 3 items as the source holds them",
    )
    assert standing(NAMES, "switched", [made], 2_000.0, is_running=False)[0].ready
