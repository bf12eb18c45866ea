"""Whether the comparison behind a go has yet to come to its end, for who would end the move."""

import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import Struct

from dynaferry.follow.after_go_certificate import read_after_go
from dynaferry.follow.stored_move import is_followed, is_moved, opened_to_look
from dynaferry.state.directory import state_path, verification_name
from dynaferry.state.move_records import MoveRecord, Stage
from dynaferry.state.records import RunRecord

_MAY_SWITCH: Final[tuple[Stage, ...]] = ("cutting-over", "going-back")
_COMPARED: Final = "SELECT created_at, (SELECT count(*) FROM segments) FROM run"


class PendingComparison(Struct, frozen=True, kw_only=True):
    """A comparison that has no certificate yet; without a process nobody goes on with it.

    `is_switching`: it comes behind a switch that is under way. `share` of the segments are compared
    after `seconds`, both None before it began.
    """

    is_running: bool
    is_switching: bool
    has_way_back: bool
    share: float | None = None
    seconds: float | None = None


def pending_comparison(
    state_dir: Path, record: RunRecord, move: MoveRecord, now: float
) -> PendingComparison | None:
    """What is to be waited for; None where nothing is: it was certified, the move is in no state to
    be switched, or has no stream, so that all was compared before its go. It blocks.
    """
    run, is_switching = record.run, move.stage in _MAY_SWITCH
    is_running = is_followed(state_dir, run)
    if not is_moved(state_dir, run) or not (move.stage == "switched" or is_switching):
        return None
    if is_switching and not is_running:
        return None  # it was not done, and the state says no
    found = read_after_go(state_dir, run)
    if move.stage != "cutting-over" and found is not None and found.go == move.switched_at:
        return None
    share: float | None = None
    seconds: float | None = None
    began = None if is_switching else _compared(state_dir, run)
    if began is not None and began[0] >= (move.switched_at or 0.0):
        total = sum(table.total_segments for table in record.identity.tables)
        share, seconds = min(1.0, began[1] / total), max(0.0, now - began[0])
    return PendingComparison(
        is_running=is_running,
        is_switching=is_switching,
        has_way_back=move.has_way_back,
        share=share,
        seconds=seconds,
    )


def _compared(state_dir: Path, run: str) -> tuple[float, int] | None:
    """When a comparison of the run began, and how many segments it has compared."""
    with (
        suppress(sqlite3.Error),
        opened_to_look(state_path(state_dir, verification_name(run))) as file,
    ):
        row = file.execute(_COMPARED).fetchone()
        return None if row is None else (float(row[0]), int(row[1]))
    return None
