"""Many throttled copies beside busy cores: `python -m tests.faults.throttled_soak --runs 200`.

Each is a plan of two to four tables, two at once, whose targets refuse by key range; it runs in a
process of its own, as people run it, with two busy loops beside it. None may hang: one that is not
over in time is killed with its stacks, and one that its own watchdog ended counts as hung too. A
seed that went wrong is run again by `--first-seed SEED --runs 1`.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.simulator import OnDemand, Partitions, Settings, Table, simulator
from tests.faults.soak import strangers_environment

AT_ONCE = 2
BUSY = 2
# What a copy would take if nothing were lost to throttles; each really takes longer.
SECONDS_OF_WORK = 4.0
# So long over, with two busy cores beside it, a copy hangs.
MOST_SECONDS = 180.0
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Case:
    """The tables of one copy, by its seed."""

    seed: int
    settings: Settings
    names: tuple[str, ...]
    items: int

    @classmethod
    def of(cls, seed: int, *, seconds_of_work: float = SECONDS_OF_WORK) -> "Case":
        """The case with this seed: sizes, partitions and bursts are drawn by it."""
        chance = random.Random(f"throttled {seed}")
        names = tuple(f"table-{number}" for number in range(chance.choice((2, 2, 3, 4))))
        tables: list[Table] = []
        items = 0
        for name in names:
            partitions = chance.choice((2, 3, 5))
            size = chance.choice((200, 700, 1024, 1800))
            units = -(-size // 1024)
            count = int(seconds_of_work / len(names) * 2 * partitions * 1000 / units)
            tables += _both_sides(name, count, size, partitions, chance)
            items += count
        return cls(seed, Settings(tables=tuple(tables), seed=seed), names, items)

    def plan(self, url: str, state_dir: Path) -> str:
        """The plan file."""
        side = f'region = "us-east-1"\nendpoint_url = "{url}"\n'
        tables = "".join(
            f'[[tables]]\nsource = "{name}"\ntarget = "{name}-copy"\n' for name in self.names
        )
        return (
            f'run = "soak"\nstate_dir = "{state_dir}"\ntables_at_once = 2\n'
            f"[source]\n{side}[target]\n{side}{tables}"
        )


def _both_sides(
    name: str, count: int, size: int, partitions: int, chance: random.Random
) -> tuple[Table, Table]:
    hot = chance.choice((0.0, 0.0, 0.2))
    source = Table(name=name, items=count, item_bytes=size, sort_key="sk", hot_key_share=hot)
    target = Table(
        name=f"{name}-copy",
        sort_key="sk",
        # The table as a whole takes more than its key ranges do.
        capacity=OnDemand(write_units=2000.0 * partitions),
        partitions=Partitions(count=partitions, burst_seconds=chance.choice((0.2, 1.0))),
    )
    return source, target


@dataclass(slots=True)
class Tally:
    """The sums over copies. `hung` and `failures` are what went wrong, by seed."""

    runs: int = 0
    throttled_runs: int = 0
    items: int = 0
    throttled_requests: int = 0
    longest_seconds: float = 0.0
    hung: dict[int, str] = field(default_factory=dict)
    failures: dict[int, str] = field(default_factory=dict)

    def add(self, case: Case, ended: "Ended") -> None:
        """Adds a copy that ended, or did not."""
        self.runs += 1
        self.items += case.items
        self.longest_seconds = max(self.longest_seconds, ended.seconds)
        if ended.code is None or "hung for" in ended.told:
            self.hung[case.seed] = ended.told[-4000:]
            return
        tables = json.loads(ended.document)["tables"] if ended.code == 0 else []
        written = sum(table["items_written"] for table in tables)
        if written != case.items:
            self.failures[case.seed] = f"exit {ended.code}, {written:,} written: {ended.told}"
        throttled = sum(table["throttled_requests"] for table in tables)
        self.throttled_requests += throttled
        self.throttled_runs += throttled > 0

    def lines(self) -> list[str]:
        """The sums, for eyes."""
        return [
            f"{self.runs:,} copies, {self.throttled_runs:,} of them throttled, "
            f"{self.items:,} items, {self.throttled_requests:,} requests throttled, "
            f"the longest {self.longest_seconds:,.0f} s",
            f"hung {len(self.hung)}, failed {len(self.failures)}",
            *(f"seed {seed} hung: {what}" for seed, what in sorted(self.hung.items())),
            *(f"seed {seed}: {what}" for seed, what in sorted(self.failures.items())),
        ]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended; `code` None where it had to be killed."""

    code: int | None
    document: str
    told: str
    seconds: float


def run(case: Case, directory: Path, *, most_seconds: float = MOST_SECONDS) -> Ended:
    """Makes one copy, and waits until it ends or has taken too long. It blocks."""
    directory.mkdir()
    began = time.monotonic()
    with simulator(case.settings) as simulated:
        plan = directory / "plan.toml"
        plan.write_text(case.plan(simulated.url, directory / "state"), encoding="utf-8")
        with subprocess.Popen(
            [
                *(sys.executable, "-X", "faulthandler", "-m", "dynaferry", "copy"),
                *("--plan", str(plan), "--progress", "none", "--json"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        ) as child:
            code, out, told = _ended(child, most_seconds)
    return Ended(code, out, told, time.monotonic() - began)


def _ended(child: "subprocess.Popen[str]", most_seconds: float) -> tuple[int | None, str, str]:
    try:
        out, told = child.communicate(timeout=most_seconds)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGABRT)  # at which Python tells where all threads stand
        out, told = child.communicate()
        return None, out, told
    return child.returncode, out, told


@contextmanager
def busy_loops(number: int) -> Iterator[None]:
    """So many processes that leave no core idle, for as long as the block."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def soak(
    cases: Sequence[Case], directory: Path, *, at_once: int = AT_ONCE, busy: int = BUSY
) -> Tally:
    """Makes these copies, so many at once, beside so many busy loops."""
    tally = Tally()
    with busy_loops(busy), ThreadPoolExecutor(at_once) as threads:
        places = [directory / str(case.seed) for case in cases]
        for case, ended in zip(cases, threads.map(run, cases, places), strict=True):
            tally.add(case, ended)
    return tally


def main() -> int:
    """Makes as many as are asked for; 1 where any of them hung or failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.throttled_soak")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=AT_ONCE)
    parser.add_argument("--busy", type=int, default=BUSY)
    parser.add_argument("--seconds", type=float, default=SECONDS_OF_WORK)
    asked = parser.parse_args()
    strangers_environment(os.environ)
    seeds = range(asked.first_seed, asked.first_seed + asked.runs)
    cases = [Case.of(seed, seconds_of_work=asked.seconds) for seed in seeds]
    started_at = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        tally = soak(cases, Path(directory), at_once=asked.at_once, busy=asked.busy)
    for line in [*tally.lines(), f"{time.monotonic() - started_at:,.0f} s"]:
        print(line)  # noqa: T201  # what it is for
    return 1 if tally.hung or tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
