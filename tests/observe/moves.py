"""A table of a move as it may stand, made up."""

from typing import Any, Final

from dynaferry.observe.move_status import MoveStatus

AT: Final = 1_800_000_000.0


def a_move_status(**other: Any) -> MoveStatus:
    """A table that is followed and does well, but for what is said."""
    settings: dict[str, Any] = {
        "source": "orders",
        "target": "orders-copy",
        "state": "following",
        "lag_seconds": 0.8,
        "position_age_seconds": 0.2,
        "capture_silent_seconds": 0.1,
        "oldest_waiting_seconds": 0.7,
        "record_age_seconds": 0.6,
        "changes_in_per_second": 2031.0,
        "changes_out_per_second": 2029.0,
        "spool_rows": 12,
        "spool_bytes": 40_960,
        "spool_read_again": 3,
        "shards_open": 16,
        "shards_waiting": 2,
        "shards_childless": 1,
        "gaps": 0,
        "gaps_ever": 1,
        "doubts": 4,
        "rejected": 0,
        "ready": True,
        "not_ready": (),
        "last_record_at": AT - 0.6,
        "will_catch_up": True,
        "changes_captured": 1000,
        "changes_applied": 900,
        "changes_compacted": 80,
        "changes_rejected": 8,
        "at": AT,
    }
    return MoveStatus(**settings | other)
