"""`dynaferry move` for which a day is seconds: run by `moved.py` as a process.

The first argument says what the long times are here, as JSON; the rest is the command line. The
simulator keeps to the same times, so what they promise holds: nothing takes effect later than
`late_write_seconds`, and nothing is trimmed that is younger than `retention_seconds`.
"""

import sys
from typing import Any

import msgspec
from msgspec import Struct

from dynaferry.__main__ import main
from dynaferry.cli.commands import move
from dynaferry.follow import applier, capture, lineage, move_tables, shard_reader, table


class Times(Struct, frozen=True):
    """The times that would be too long to wait for."""

    late_write_seconds: float = 2.0
    retention_seconds: float = 3600.0
    settle_seconds: float = 1.0
    gone_after_seconds: float = 2.5


def compress(times: Times) -> None:
    """Sets the times of this process."""
    for room in (applier, move_tables):
        _set(room, LATE_WRITE_SECONDS=times.late_write_seconds)
    for reader in (shard_reader, capture, table):
        _set(reader, RETENTION_SECONDS=times.retention_seconds)
    _set(capture, LISTING_SECONDS=2.0, HASTY_LISTING_SECONDS=0.3, LISTING_PAGE_SECONDS=0.15)
    _set(capture, ALIVE_SECONDS=0.5)
    _set(lineage, GONE_AFTER_SECONDS=times.gone_after_seconds)
    _set(move_tables, RESYNC_SECONDS=0.5, STREAM_HISTORY_SECONDS=2.0)
    _set(move, SETTLE_SECONDS=times.settle_seconds)


def _set(room: Any, **seconds: float) -> None:
    for name, value in seconds.items():
        assert hasattr(room, name), f"{room.__name__} has no {name}"
        setattr(room, name, value)


if __name__ == "__main__":
    compress(msgspec.json.decode(sys.argv.pop(1), type=Times))
    main()
