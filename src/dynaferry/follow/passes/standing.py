"""How a move without a stream stands, from its passes: for people, scripts, and the page."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from dynaferry.follow.move_state import is_over
from dynaferry.follow.passes.convergence import complete, lag_seconds, outage
from dynaferry.follow.passes.passes import Passes
from dynaferry.observe.move_status import NOBODY_FOLLOWS, MoveState, MoveStatus, PassesStatus
from dynaferry.shared.arn import resource_name
from dynaferry.state.move_records import PassRecord, Stage, TablePass
from dynaferry.state.sqlite import move_schema as schema
from dynaferry.state.sqlite.schema import SELECT_RUN, run_of

_STATES: Final[dict[Stage, MoveState]] = {
    "replaying": "replaying",
    "following": "following",
    "cutting-over": "following",
    "switched": "switched",
}
# Without a stream there are no shards, no spool and no record.
_NOTHING_CAPTURED: Final[dict[str, Any]] = {
    "oldest_waiting_seconds": 0.0,
    "record_age_seconds": None,
    "changes_in_per_second": 0.0,
    "changes_out_per_second": 0.0,
    "spool_rows": 0,
    "spool_bytes": 0,
    "spool_read_again": 0,
    "shards_open": 0,
    "shards_waiting": 0,
    "gaps": 0,
    "doubts": 0,
    "last_record_at": None,
    "will_catch_up": True,
}


def state_of(stage: Stage | None) -> MoveState:
    """The state of a table by that of its move; None before it has passes."""
    return "copying" if stage is None else _STATES.get(stage, "replaying")


def standing(
    names: Sequence[tuple[str, str]],
    stage: Stage | None,
    passes: Sequence[PassRecord],
    now: float,
    *,
    is_running: bool = True,
    compared: float | None = None,
    next_at: float | None = None,
    copied_since: float = 0.0,
) -> list[MoveStatus]:
    """How each table stands at `now`. Pure."""
    done = complete(passes)
    told = outage(passes, now, copied_since)
    newest = done[-1] if done else None
    of_passes = PassesStatus(
        done=len(done),
        compared=compared,
        found=None if newest is None else newest.found,
        seconds=None if newest is None else round(newest.seconds, 3),
        next_at=next_at,
        outage_seconds=None if told is None else round(told.seconds, 3),
    )
    tables = {} if newest is None else {table.source: table for table in newest.tables}
    return [
        _table(name, tables.get(name[0]), state_of(stage), of_passes, passes, now, is_running)
        for name in names
    ]


def _table(
    names: tuple[str, str],
    found: TablePass | None,
    state: MoveState,
    of_passes: PassesStatus,
    passes: Sequence[PassRecord],
    now: float,
    is_running: bool,
) -> MoveStatus:
    lag = None if state in ("copying", "switched") else lag_seconds(passes, now)
    rejected = 0 if found is None else found.refused + found.rejected
    against = [] if state in ("following", "switched") else [f"it is {state}"]
    if not is_running and state != "switched":
        against.insert(0, NOBODY_FOLLOWS)
    if rejected:
        against.append(f"the target refuses {rejected:,} items as the source holds them")
    return MoveStatus(
        source=names[0],
        target=names[1],
        state=state,
        is_running=is_running,
        lag_seconds=None if lag is None else round(lag, 3),
        rejected=rejected,
        ready=not against,
        not_ready=tuple(against),
        changes_captured=sum(made.found for made in passes),
        changes_applied=sum(made.repaired for made in passes),
        at=now,
        passes=of_passes,
        **_NOTHING_CAPTURED,
    )


def standing_now(
    names: Sequence[tuple[str, str]],
    stage: Stage,
    passes: Passes,
    now: float,
    copied_since: float,
) -> list[MoveStatus]:
    """How each table stands whose passes are made in this process."""
    under_way = passes.under_way
    return standing(
        names,
        stage,
        passes.made,
        now,
        compared=None if under_way is None else round(under_way.share, 3),
        next_at=passes.next_at,
        copied_since=copied_since,
    )


def read_standing(path: Path, now: float, *, is_running: bool) -> list[MoveStatus]:
    """How each table stands by what the run's file holds. It blocks.

    None where it is no such move, or one that has ended for good.

    :raises sqlite3.Error: it cannot be read
    :raises msgspec.MsgspecError: it is not understood
    """
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as file:
        file.row_factory = sqlite3.Row
        if not schema.has_passes(file):
            return []
        run = run_of(file.execute(SELECT_RUN).fetchone())
        stages = [schema.move_of(row).stage for row in file.execute(schema.SELECT_MOVE)]
        passes = [schema.pass_of(row) for row in file.execute(schema.SELECT_PASSES)]
    if stages and is_over(stages[0]):
        return []
    names = [
        (resource_name(table.source_arn), resource_name(table.target_arn))
        for table in run.identity.tables
    ]
    return standing(
        names,
        stages[0] if stages else None,
        passes,
        now,
        is_running=is_running,
        copied_since=run.created_at,
    )
