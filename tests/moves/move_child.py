"""`dynaferry move` for which a day is seconds: run by `moved.py` as a process.

The first argument says what the long times are here, as JSON; the rest is the command line. The
simulator keeps to the same times, so what they promise holds: nothing takes effect later than
`late_write_seconds`, and nothing is trimmed that is younger than `retention_seconds`.

A `defect` may be put in, to see that it is found.
"""

import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from dynaferry.__main__ import main
from dynaferry.dynamodb.items.streams import TableStream
from dynaferry.follow import lineage, move_tables
from dynaferry.follow.change_writer import ChangeWriter
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.spool_records import Arrivals, Waiting
from dynaferry.state.move_records import TransitionOutcome
from dynaferry.state.sqlite.move_file import MoveFile, MoveMoment

FOLLOW = move_tables.__name__.removesuffix("move_tables")


class Setup(Struct, frozen=True):
    """The times that would be too long to wait for, a defect, and a moment to die at."""

    late_write_seconds: float = 2.0
    retention_seconds: float = 3600.0
    settle_seconds: float = 1.0
    gone_after_seconds: float = 2.5
    quiet_seconds: float = 1.5
    defect: str | None = None
    dies_at: str | None = None


def compress(setup: Setup) -> None:
    """Sets the times of this process, in whatever module they stand."""
    seconds = {
        "LATE_WRITE_SECONDS": setup.late_write_seconds,
        "RETENTION_SECONDS": setup.retention_seconds,
        "GONE_AFTER_SECONDS": setup.gone_after_seconds,
        "SETTLE_SECONDS": setup.settle_seconds,
        "LISTING_SECONDS": 2.0,
        "HASTY_LISTING_SECONDS": 0.3,
        "LISTING_PAGE_SECONDS": 0.15,
        "ALIVE_SECONDS": 0.5,
        "STREAM_HISTORY_SECONDS": 2.0,
        "STATUS_SECONDS": 0.3,
        "RESYNC_SECONDS": 0.5,
        "LOOK_SECONDS": 0.3,
        "LEAST_SECONDS": setup.quiet_seconds,
        "ABANDONED_SECONDS": 1.5,
        "OTHERS_SECONDS": 4.0,
    }
    rooms = [room for name, room in sys.modules.items() if name.startswith(FOLLOW)]
    for name, value in seconds.items():
        found = [room for room in rooms if name in vars(room)]
        assert found, f"there is no {name}"
        for room in found:
            vars(room)[name] = value


_iterator = TableStream.iterator


async def _latest(self: TableStream, shard: str, after: int | None) -> str:
    """Without a position it begins at the end: the first records of a child are passed over."""
    if after is not None:
        return await _iterator(self, shard, after)
    request = {"StreamArn": self._arn, "ShardId": shard, "ShardIteratorType": "LATEST"}
    response = await self._client.send("GetShardIterator", msgspec.json.encode(request))
    iterator: str = msgspec.json.decode(response)["ShardIterator"]
    return iterator


async def _no_doubt(self: ChangeWriter, rows: Sequence[Waiting]) -> None:
    """What became of a write is not asked."""


def _take_out_all(self: SpoolFile, arrivals: Arrivals, sent_at: float) -> int:
    """What has arrived since it was sent goes as well."""
    return self._connection.executemany(
        "DELETE FROM changes WHERE number = ?", zip(arrivals)
    ).rowcount


def put_in(defect: str) -> None:
    """Makes this process wrong in one way."""
    if defect == "latest":
        TableStream.iterator = _latest  # type: ignore[method-assign]
    elif defect == "no doubts":
        ChangeWriter._doubt = _no_doubt  # type: ignore[method-assign]
    elif defect == "newer goes":
        SpoolFile._take_out = _take_out_all  # type: ignore[method-assign]
    elif defect == "no gaps":
        lineage.Lineage.trimmed = lambda *_: None  # type: ignore[method-assign]
    else:
        raise ValueError(f"no such defect: {defect}")


def die_at(dies_at: str) -> None:
    """Dies of SIGKILL once it ends a transition with a go and has come to this moment of it."""
    end, goes = MoveFile.end, False

    async def noted(
        self: MoveFile, number: int, outcome: TransitionOutcome, *given: Any, **more: Any
    ) -> bool:
        nonlocal goes
        goes = outcome == "go"
        return await end(self, number, outcome, *given, **more)

    def reached(self: MoveFile, moment: MoveMoment) -> None:
        if goes and moment == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    MoveFile.end = noted  # type: ignore[method-assign]
    MoveFile.reached = reached  # type: ignore[method-assign]


def prepare(setup: Setup) -> None:
    """Makes this process what a move in it is to meet."""
    compress(setup)
    if setup.defect is not None:
        put_in(setup.defect)
    if setup.dies_at is not None:
        die_at(setup.dies_at)


if __name__ == "__main__":
    prepare(msgspec.json.decode(sys.argv.pop(1), type=Setup))
    main()
