"""Many mixtures, several at once: `python -m tests.faults.soak --mixtures 1000`.

Prints what was met and how often, and every seed that went wrong, which
`--first-seed SEED --mixtures 1` runs again.
"""

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from botocore.loaders import JSONFileLoader

from tests.faults.mixture import Mixture, run_mixture
from tests.faults.power import unreliable_power
from tests.worlds.quick_time import disk_as_slow_as_it_is, run_quickly

AT_ONCE = 16
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIAMADEUP",
    "AWS_SECRET_ACCESS_KEY": "made up",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(slots=True)
class Tally:
    """The sums over mixtures. `failures` is what went wrong, by seed."""

    mixtures: int = 0
    attempts: int = 0
    items: int = 0
    lost: int = 0
    invented: int = 0
    miscounted: int = 0
    met: Counter[str] = field(default_factory=Counter)
    ended_with: Counter[str] = field(default_factory=Counter)
    failures: dict[int, str] = field(default_factory=dict)

    async def add(self, seed: int, state_dir: Path) -> None:
        """Runs a mixture and adds it."""
        mixture = Mixture.of(seed)
        self.mixtures += 1
        self.items += mixture.items
        try:
            run = await run_mixture(mixture, state_dir)
        except Exception as error:  # noqa: BLE001  # whatever it is, it belongs to this seed
            self.failures[seed] = repr(error)
            return
        self.attempts += run.attempts
        self.met.update(run.met)
        self.ended_with.update(run.ended_with)
        self.lost += len(run.verdict.lost)
        self.invented += len(run.verdict.invented)
        self.miscounted += len(run.verdict.miscounted)
        if not run.verdict.is_good:
            self.failures[seed] = str(run.verdict)

    def lines(self) -> list[str]:
        """The sums, for eyes."""
        return [
            f"{self.mixtures:,} mixtures, {self.items:,} items, {self.attempts:,} attempts",
            f"lost {self.lost}, invented {self.invented}, miscounted {self.miscounted}, "
            f"failed {len(self.failures)}",
            "met: " + ", ".join(f"{count:,} {what}" for what, count in self.met.most_common()),
            "attempts ended: "
            + ", ".join(f"{count:,} {what}" for what, count in self.ended_with.most_common()),
            *(f"seed {seed}: {what}" for seed, what in sorted(self.failures.items())),
        ]


async def soak(seeds: range, directory: Path, *, at_once: int = AT_ONCE) -> Tally:
    """Runs the mixtures of these seeds, so many at once."""
    tally = Tally()
    turns = iter(seeds)

    async def take_turns() -> None:
        for seed in turns:
            await tally.add(seed, directory / str(seed))

    with unreliable_power(), botocore_models_read_once(), disk_as_slow_as_it_is():
        await asyncio.gather(*(take_turns() for _ in range(at_once)))
    return tally


@contextmanager
def botocore_models_read_once() -> Iterator[None]:
    """A third of a mixture's time would go into reading the same descriptions of DynamoDB."""
    load_file = JSONFileLoader.load_file

    @cache
    def load_once(path: str) -> Any:
        return load_file(JSONFileLoader(), path)

    JSONFileLoader.load_file = lambda _, path: load_once(path)
    try:
        yield
    finally:
        JSONFileLoader.load_file = load_file


def strangers_environment(environment: MutableMapping[str, str]) -> None:
    """Hides the person's AWS settings, and gives made-up credentials."""
    for name in [name for name in environment if name.startswith("AWS_")]:
        del environment[name]
    environment.update(CREDENTIALS)


def main() -> int:
    """Runs as many as are asked for; 1 where any of them failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--mixtures", type=int, default=100)
    parser.add_argument("--first-seed", type=int, default=0)
    asked = parser.parse_args()
    strangers_environment(os.environ)
    seeds = range(asked.first_seed, asked.first_seed + asked.mixtures)
    logging.disable()  # libraries that log what is on purpose here
    started_at = time.monotonic()
    # In memory where there is such a place: it is not the disk that is on trial here.
    memory = Path("/dev/shm")  # noqa: S108  # a directory of our own is made in it
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as directory:
        tally = run_quickly(soak(seeds, Path(directory)))
    for line in [*tally.lines(), f"{time.monotonic() - started_at:,.0f} s"]:
        print(line)  # noqa: T201  # what it is for
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
