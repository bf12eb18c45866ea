"""Every reason against a switch is told, each by itself and together."""

from typing import Any

import pytest
from msgspec.structs import replace

from dynaferry.follow.readiness import (
    ReasonName,
    Standing,
    WayBack,
    reasons_not_ready,
    standing_of,
)
from dynaferry.follow.shard_reader import OTHERS_READ
from dynaferry.observe.move_status import MoveStatus

READY = Standing(stage="following", lag_seconds=0.4, way_back=WayBack(quiet_seconds=9.0))
AGAINST: list[tuple[dict[str, Any], ReasonName, str, bool]] = [
    ({"stage": "replaying"}, "state", "it is replaying", True),
    ({"is_paused": True}, "paused", "it is paused", True),
    ({"lag_seconds": 61.0}, "lag", "the target is 61 s behind", False),
    ({"childless": 2}, "childless shards", "2 shards have ended", False),
    ({"rejected": 1}, "rejected items", "the target refuses 1 item as", True),
    ({"open_gaps": 1}, "open gap", "records were lost", True),
    ({"doubts": 2}, "doubts", "of 2 writes nobody knows yet", False),
    ({"others_read": True}, "another reader", "a shard takes two readers", False),
    (
        {"others_read": True, "other_readers": ("the function audit",)},
        "another reader",
        "the function audit reads the stream as well",
        False,
    ),
    (
        {"others_read": True, "other_readers": ("the function audit", "the replication")},
        "another reader",
        "the function audit, the replication read the stream as well",
        False,
    ),
    ({"trouble": "no answer"}, "unread stream", "no answer", False),
    ({"will_catch_up": False}, "growing spool", "what waits grows", True),
    ({"target_status": "UPDATING"}, "target not active", "is UPDATING", True),
    ({"way_back": WayBack(trouble="no stream")}, "way back not armed", "no stream", True),
    ({"way_back": WayBack(foreign=3)}, "foreign writes", "3 changes not ours", True),
]


def test_a_table_that_follows_is_ready_also_while_a_cut_over_is_under_way() -> None:
    assert reasons_not_ready(READY) == ()
    assert reasons_not_ready(replace(READY, stage="cutting-over")) == ()
    assert reasons_not_ready(replace(READY, way_back=None)) == ()


@pytest.mark.parametrize(("change", "name", "told", "lasts"), AGAINST, ids=lambda value: str(value))
def test_what_speaks_against_it_is_told_alone(
    change: dict[str, Any], name: ReasonName, told: str, lasts: bool
) -> None:
    (reason,) = reasons_not_ready(replace(READY, **change))
    assert reason.name == name
    assert told in reason.told
    assert reason.lasts is lasts


def test_all_that_speaks_against_it_is_told_at_once() -> None:
    worst = Standing(
        stage="re-syncing",
        lag_seconds=99.0,
        childless=1,
        rejected=2,
        open_gaps=1,
        doubts=1,
        others_read=True,
        will_catch_up=False,
        target_status="UPDATING",
        is_paused=True,
        way_back=WayBack(trouble="no stream", foreign=1),
    )
    names = [reason.name for reason in reasons_not_ready(worst)]
    assert len(names) == len(set(names)) == len(AGAINST) - 3  # of a trouble one is told


def test_a_lag_that_nobody_knows_yet_is_the_state_that_speaks_against_it() -> None:
    copying = Standing(stage="copying")
    assert [reason.name for reason in reasons_not_ready(copying)] == ["state"]


def test_what_a_status_says_is_how_a_table_stands() -> None:
    status = MoveStatus(
        source="orders",
        target="orders",
        state="following",
        paused=True,
        lag_seconds=61.0,
        oldest_waiting_seconds=61.0,
        record_age_seconds=None,
        changes_in_per_second=0.0,
        changes_out_per_second=0.0,
        spool_rows=7,
        spool_bytes=0,
        spool_read_again=0,
        shards_open=1,
        shards_waiting=0,
        shards_childless=2,
        gaps=1,
        doubts=3,
        rejected=4,
        ready=False,
        not_ready=(),
        last_record_at=None,
        will_catch_up=False,
        changes_captured=0,
        changes_applied=0,
        trouble=f"no answer ({OTHERS_READ})",
        at=0.0,
    )
    standing = standing_of(status, target_status="UPDATING", way_back=WayBack(foreign=1))
    told = {reason.name for reason in reasons_not_ready(standing)}
    others = {"state", "unread stream", "way back not armed"}
    assert told == {name for _, name, _, _ in AGAINST} - others
    other = standing_of(replace(status, trouble="no answer", state="re-syncing"))
    told = {reason.name for reason in reasons_not_ready(other)}
    assert {"state", "unread stream"} <= told
    assert "another reader" not in told
