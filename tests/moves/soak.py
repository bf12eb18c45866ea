"""Many moves: `python -m tests.moves.soak --moves 300`.

Each is a process of `dynaferry move` against a simulated source that is written all the time, and
is killed again and again; its stream splits, rolls, expires and is trimmed, and answers are lost.
Prints the sums; every move that went wrong is named by its seed.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from tests.faults.soak import strangers_environment
from tests.moves.case import Case
from tests.moves.moved import Moved, move

AT_ONCE = 3
# So often a long soak tells its sums, should it be ended.
SUMS_EVERY = 25


@dataclass(slots=True)
class Tally:
    """The sums over moves. `failures` is what went wrong, by seed."""

    moves: int = 0
    gaps: int = 0
    lost: int = 0
    invented: int = 0
    miscounted: int = 0
    sums: Counter[str] = field(default_factory=Counter)
    phases: Counter[str] = field(default_factory=Counter)
    failures: dict[int, str] = field(default_factory=dict)

    def add(self, seed: int, moved: Moved | Exception) -> None:
        """Adds a move, or what kept it from ending."""
        self.moves += 1
        if isinstance(moved, Exception):
            self.failures[seed] = f"{type(moved).__name__}: {moved}"
            return
        self.gaps += moved.had_gap
        for name in (
            *("kills", "interrupts", "changes", "captured", "items", "letters", "shards"),
            *("lost_answers", "expired", "trimmed", "throttled"),
        ):
            self.sums[name] += getattr(moved, name)
        self.phases.update(moved.phases)
        self.lost += len(moved.verdict.lost)
        self.invented += len(moved.verdict.invented)
        self.miscounted += len(moved.verdict.miscounted)
        if not moved.verdict.is_good:
            self.failures[seed] = str(moved.verdict)

    def lines(self) -> list[str]:
        """The sums, for eyes."""
        sums = self.sums
        return [
            f"{self.moves:,} moves, {sums['kills']:,} kills, {sums['interrupts']:,} interrupts, "
            f"{self.gaps:,} gaps",
            f"lost {self.lost}, invented {self.invented}, miscounted {self.miscounted}, "
            f"failed {len(self.failures)}",
            f"{sums['changes']:,} changes, {sums['captured']:,} captured, {sums['items']:,} items "
            f"at the end, {sums['letters']:,} dead letters, {sums['shards']:,} shards",
            f"{sums['lost_answers']:,} lost answers, {sums['expired']:,} expired iterators, "
            f"{sums['trimmed']:,} trimmed positions, {sums['throttled']:,} throttles",
            "ended while " + ", ".join(f"{phase} {n:,}" for phase, n in self.phases.most_common()),
            *(f"seed {seed}: {what}" for seed, what in sorted(self.failures.items())),
        ]


def soak(
    seeds: Sequence[int],
    directory: Path,
    *,
    at_once: int,
    tell: bool = False,
    defect: str | None = None,
    is_forked: bool = False,
) -> Tally:
    """Makes these moves, so many at once, by processes that have this defect."""
    tally = Tally()

    def one(seed: int) -> Moved | Exception:
        case = Case.of(seed)
        case = replace(case, setup=replace(case.setup, defect=defect))
        try:
            moved: Moved | Exception = move(case, directory / str(seed), is_forked=is_forked)
        except Exception as error:  # noqa: BLE001  # whatever it is, it belongs to this seed
            moved = error
        if tell:
            told = moved if isinstance(moved, Exception) else f"{moved.seconds:.0f} s"
            bad = moved.verdict if isinstance(moved, Moved) and not moved.verdict.is_good else ""
            print(f"seed {seed}: {told} {bad}", flush=True)  # noqa: T201  # what it is for
        return moved

    with ThreadPoolExecutor(at_once) as threads:
        for seed, moved in zip(seeds, threads.map(one, seeds), strict=True):
            tally.add(seed, moved)
            if tell and tally.moves % SUMS_EVERY == 0:
                print("\n".join(tally.lines()), flush=True)  # noqa: T201  # what it is for
    return tally


def main() -> int:
    """Makes as many as are asked for; 1 where any of them went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.moves.soak", description=__doc__)
    parser.add_argument("--moves", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=AT_ONCE)
    parser.add_argument("--keep", type=Path, help="keeps the logs and states there")
    parser.add_argument("--defect", help="puts one in, see move_child.py: it is to be found")
    parser.add_argument("--forked", action="store_true", help="for less CPU time, see warm.py")
    parser.add_argument("--tell", action="store_true", help="a line for each")
    asked = parser.parse_args()
    strangers_environment(os.environ)
    seeds = range(asked.first_seed, asked.first_seed + asked.moves)
    started_at = time.monotonic()
    memory = Path("/dev/shm")  # noqa: S108  # a directory of our own is made in it
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as directory:
        where = asked.keep or Path(directory)
        tally = soak(
            seeds,
            where,
            at_once=asked.at_once,
            tell=asked.tell,
            defect=asked.defect,
            is_forked=asked.forked,
        )
    for line in [*tally.lines(), f"{time.monotonic() - started_at:,.0f} s"]:
        print(line)  # noqa: T201  # what it is for
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
