"""A move in a process of its own, to be killed while it compares every key after a gap.

It says so once a part of them is compared: `python -m tests.follow.move_child STATE_DIR URL`.
"""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import anyio

from dynaferry.follow import move_tables, resync
from dynaferry.verify.compare.side_reader import SideReader
from tests.follow.moves import moving, plan_of, read_page_slowly
from tests.worlds.moto import MotoWorld


async def main(state_dir: Path, url: str) -> None:
    """Moves, and goes on until it is killed."""
    vars(move_tables)["LATE_WRITE_SECONDS"] = 0.5
    vars(resync)["SETTLE_SECONDS"] = 0.5
    SideReader.read_page = read_page_slowly  # type: ignore[assignment, method-assign]
    world = MotoWorld(url)
    async with moving(world, plan_of(world, state_dir)) as move:
        await move.until(lambda: move.has_said("is compared now"))
        await move.until(lambda: _compared(state_dir) > 1)
        sys.stdout.write("compared\n")
        sys.stdout.flush()
        await anyio.sleep_forever()


def _compared(state_dir: Path) -> int:
    """How many segments are compared."""
    path = (state_dir / "orders.verify.sqlite").absolute()
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as verification:
            (count,) = verification.execute("SELECT count(*) FROM segments").fetchone()
    except sqlite3.Error:
        return 0
    return int(count)


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), sys.argv[2])
