"""Many kills: `python -m tests.kills.soak --kills 200`.

Prints the sums and how much was written again after a kill, by the endpoint's count; every copy
that went wrong is named by its seed.
"""

import argparse
import asyncio
import itertools
import logging
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from dynaferry.copy.checkpoint import CHECKPOINT_SECONDS
from tests.faults.mixture import KEYS
from tests.faults.odd_items import odd_items
from tests.faults.soak import strangers_environment
from tests.faults.weather import Fault
from tests.faults.world import faulty_world
from tests.kills.copy_child import POINTS, POINTS_PASSED_ONCE
from tests.kills.killed import Kill, KilledCopy, random_kill
from tests.worlds.quick_time import run_quickly

AT_ONCE = 2
RANDOM_SHARE = 0.5
MOST_KILLS_OF_A_COPY = 6

RATES = (200.0, 2000.0, None)  # caps
MOST_SECONDS = 5.0  # that a copy takes under its cap

# What is tried again after a wait holds back its page for longer than a second.
SHARES: dict[Fault, float] = {"answer slow": 0.2, "partly unprocessed": 0.05}


@dataclass(slots=True)
class Tally:
    """The sums over copies. `failures` is what went wrong, by seed."""

    copies: int = 0
    kills: int = 0
    items: int = 0
    lost: int = 0
    invented: int = 0
    miscounted: int = 0
    killed: Counter[str] = field(default_factory=Counter)
    written_again: list[int] = field(default_factory=list)
    since_checkpoint_seconds: list[float] = field(default_factory=list)
    failures: dict[int, str] = field(default_factory=dict)

    async def add(self, seed: int, state_dir: Path) -> None:
        """Makes a copy that is killed several times, and adds it."""
        self.copies += 1
        try:
            await self._copy(seed, state_dir)
        except Exception as error:  # noqa: BLE001  # whatever it is, it belongs to this seed
            self.failures[seed] = repr(error)

    async def _copy(self, seed: int, state_dir: Path) -> None:
        chance = random.Random(f"kills {seed}")
        keys = chance.choice(KEYS)
        rate = chance.choice(RATES)
        most = 2000 if rate is None else min(2000, int(rate * MOST_SECONDS))
        items = odd_items(
            keys, chance.randrange(400, most), chance, bad_share=chance.choice((0.0, 0.03))
        )
        self.items += len(items)
        async with faulty_world(
            items, keys=keys, page_items=chance.choice((10, 25, 60)), seed=seed, shares=SHARES
        ) as world:
            copy = KilledCopy(
                world,
                state_dir,
                checkpoint_seconds=chance.choice((0.05, 0.25, CHECKPOINT_SECONDS)),
                max_write_units=rate,
            )
            for _ in range(chance.randrange(2, MOST_KILLS_OF_A_COPY)):
                kill = _some_kill(chance, len(items))
                if not await copy.killed_attempt(kill):
                    break  # it was done before
                self.kills += 1
                self.killed[kill.point or "at a random time"] += 1
            await copy.last_attempt()
        self._note(seed, copy)

    def _note(self, seed: int, copy: KilledCopy) -> None:
        self.lost += len(copy.verdict.lost)
        self.invented += len(copy.verdict.invented)
        self.miscounted += len(copy.verdict.miscounted)
        self.written_again += copy.written_again
        self.since_checkpoint_seconds += copy.since_checkpoint_seconds
        if copy.faults or not copy.verdict.is_good:
            self.failures[seed] = f"{copy.verdict}; {copy.faults}"

    def lines(self) -> list[str]:
        """The sums, for eyes."""
        again, since = self.written_again or [0], self.since_checkpoint_seconds or [0.0]
        return [
            f"{self.kills:,} kills of {self.copies:,} copies, {self.items:,} items",
            f"lost {self.lost}, invented {self.invented}, miscounted {self.miscounted}, "
            f"failed {len(self.failures)}",
            f"written again after a kill: median {statistics.median(again):,.0f}, "
            f"most {max(again):,}; last checkpoint before it: median "
            f"{statistics.median(since):.2f} s, most {max(since):.2f} s",
            "killed: " + ", ".join(f"{n:,} {where}" for where, n in self.killed.most_common()),
            *(f"seed {seed}: {what}" for seed, what in sorted(self.failures.items())),
        ]


def _some_kill(chance: random.Random, items: int) -> Kill:
    if chance.random() < RANDOM_SHARE:
        return random_kill(chance, 8 + items // 20)
    point = chance.choice((*POINTS, *POINTS_PASSED_ONCE))
    return Kill(point=point, spared=0 if point in POINTS_PASSED_ONCE else chance.randrange(6))


async def soak(kills: int, first_seed: int, directory: Path) -> Tally:
    """Makes copies until so many kills have struck."""
    tally = Tally()
    seeds = itertools.count(first_seed)

    async def take_turns() -> None:
        while tally.kills < kills:
            seed = next(seeds)
            await tally.add(seed, directory / str(seed))

    await asyncio.gather(*(take_turns() for _ in range(AT_ONCE)))
    return tally


def main() -> int:
    """Kills as often as is asked for; 1 where a copy failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.kills.soak", description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--first-seed", type=int, default=0)
    asked = parser.parse_args()
    strangers_environment(os.environ)
    logging.disable()
    started_at = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        tally = run_quickly(soak(asked.kills, asked.first_seed, Path(directory)))
    for line in [*tally.lines(), f"{time.monotonic() - started_at:,.0f} s"]:
        print(line)  # noqa: T201  # what it is for
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
