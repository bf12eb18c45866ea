"""Stores one change after the other until it is killed: run by test_spool.py as a process.

Argument: the spool. Each transaction holds three changes and the position behind them.
"""

import sys
from pathlib import Path

from dynaferry.follow.lineage import Position
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.spool_records import arrivals_of
from tests.follow.changes import change

SPOOL_ID = "killed"
KEYS = 50
CHANGES_AT_ONCE = 3


def work(path: Path) -> None:
    spool = SpoolFile.open(path, SPOOL_ID) or SpoolFile.create(path, SPOOL_ID)
    (position,) = spool.positions() or [Position("shard", None, sequence=0)]
    while True:
        first = (position.sequence or 0) + 1
        position.sequence = first + CHANGES_AT_ONCE - 1
        changes = [change(f"k{n % KEYS}", n) for n in range(first, first + CHANGES_AT_ONCE)]
        spool.store(changes, [position], float(first))
        if first % 5 == 0:
            spool.applied(arrivals_of(spool.waiting(0, 4)), float(first))
        sys.stdout.write(".")
        sys.stdout.flush()


if __name__ == "__main__":
    work(Path(sys.argv[1]))
