"""Rehearsed switches without a stream: `python -m tests.moves.rehearse_passes --times 5`.

Each is a move of a simulated table that is written all the while. The outage is told, the writers
stop, and it is switched; prints the told outage beside the real one, from the last write to the go,
and whether the target holds everything then. The rate of reading makes a pass take some seconds.

With `--faults` the tables are small, both sides throttle, fail and lose responses whose writes take
effect later, and by the seed a process is killed in the midst of the switch, started and asked
again; `--defect` leaves out a step, to see that it is found.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from benchmarks.simulator import RunningSimulator, Settings, Table, simulator
from dynaferry.follow.stored_move import read_move
from tests.moves.case import RUN, SOURCE, TARGET, Case
from tests.moves.simulated_move import child_environment, dynaferry, held, side_options
from tests.moves.writer import Writer

MOST_SECONDS = 300.0
MOST_ASKED = 8
MOST_KILLS = 4


@dataclass(slots=True)
class PassesCase:
    """One of them: `defect` is None where the process is that of people."""

    seed: int
    settings: Settings
    changes_per_second: float
    read_units: float | None = None
    defect: str | None = None

    @classmethod
    def measured(cls, seed: int, rate: float, items: int) -> "PassesCase":
        """One whose outage is compared with what was told."""
        source = Table(name=SOURCE, items=items, item_bytes=(600, 1400), keeps_items=True)
        settings = Settings(tables=(source, Table(name=TARGET, keeps_items=True)), seed=seed)
        seconds = random.Random(f"passes {seed}").uniform(10.0, 25.0)
        return cls(seed, settings, rate, read_units=items * 0.25 / seconds)

    @classmethod
    def with_faults(cls, seed: int, defect: str) -> "PassesCase":
        """One in which things go wrong."""
        case = Case.of(seed)
        source, target = case.settings.tables
        tables = (replace(source, stream=None, keeps_items=True), target)
        settings = replace(case.settings, tables=tables)
        return cls(seed, settings, case.changes_per_second, defect=defect)


@dataclass(slots=True)
class RehearsedPasses:
    """What became of one: the outage that was told and the real one, and what the target lacks."""

    told: float
    seconds: float
    code: int
    differing: int
    asked: int
    said: str


class Rehearsal:
    """One move by passes beside a simulator, its writer, and whoever asks."""

    def __init__(self, case: PassesCase, simulated: RunningSimulator, state_dir: Path) -> None:
        self._case = case
        self._simulated = simulated
        self._state_dir = state_dir
        self._chance = random.Random(f"switched {case.seed}")
        self._children: list[subprocess.Popen[str]] = []
        self._writer = Writer(
            simulated.url,
            simulated.items(SOURCE),
            chance=random.Random(f"{case.seed} writes"),
            changes_per_second=case.changes_per_second,
            bad_share=0.0,
        )

    def make(self) -> RehearsedPasses:
        """Moves, switches and judges. It blocks."""
        try:
            return self._make()
        finally:
            for child in self._children:
                child.kill()
                child.wait()

    def _make(self) -> RehearsedPasses:
        has_faults = self._case.defect is not None
        move = self._move()
        self._writer.start()
        self._until_it_follows(move)
        time.sleep(self._chance.uniform(0.0, 3.0 if has_faults else 30.0))
        told = 0.0 if has_faults else self._told()
        self._writer.stop()
        stopped_at, asked, code, said, out = time.time(), 0, 7, "", ""
        while code != 0 and asked < (MOST_ASKED if has_faults else 1):
            if move.poll() is not None:
                move = self._move()
                self._until_it_follows(move)
            asks, asked = self._asking(), asked + 1
            if has_faults and asked <= MOST_KILLS and self._chance.random() < 0.5:
                time.sleep(self._chance.uniform(0.0, 8.0))
                move = self._killed(asks, move)
            out, said = asks.communicate(timeout=MOST_SECONDS)
            code = asks.returncode
        if code:
            said += (self._state_dir.parent / "move.log").read_text()[-3000:]
        went_at = (json.loads(out) if code == 0 else {}).get("switched_at") or time.time()
        differing = held(self._simulated, SOURCE) ^ held(self._simulated, TARGET)
        if has_faults:
            # What was sent before may take effect for so long.
            time.sleep(3.0)
            differing |= held(self._simulated, SOURCE) ^ held(self._simulated, TARGET)
        return RehearsedPasses(told, went_at - stopped_at, code, len(differing), asked, said)

    def _killed(
        self, asks: subprocess.Popen[str], move: subprocess.Popen[str]
    ) -> subprocess.Popen[str]:
        """One of both is."""
        if self._chance.random() < 0.3:
            asks.kill()
        else:
            move.kill()
            move.wait()
        return move

    def _move(self) -> subprocess.Popen[str]:
        options = [
            *side_options(self._simulated),
            *("--state-dir", str(self._state_dir), "--run", RUN, "--progress", "none"),
            *("--without-stream", "--readers", "4", "--patience", "60"),
        ]
        if self._case.read_units is not None:
            options += ["--max-read-units", f"{self._case.read_units:.0f}"]
        command = dynaferry("move", SOURCE, TARGET, *options)
        if self._case.defect is not None:
            module = [sys.executable, "-m", "tests.moves.passes_child", self._case.defect]
            command = [*module, "move", SOURCE, TARGET, *options]
        with (self._state_dir.parent / "move.log").open("a") as log:
            child = subprocess.Popen(command, stderr=log, text=True, env=child_environment())
        self._children.append(child)
        return child

    def _asking(self, *more: str) -> subprocess.Popen[str]:
        command = dynaferry("cut-over", RUN, "--state-dir", str(self._state_dir), "--json", *more)
        child = subprocess.Popen(
            [*command, "--timeout", "240"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=child_environment(),
        )
        self._children.append(child)
        return child

    def _told(self) -> float:
        for _ in range(MOST_ASKED):
            check = self._asking("--check")
            out, err = check.communicate(timeout=MOST_SECONDS)
            if not check.returncode:
                return float(json.loads(out)["outage_seconds"])
            time.sleep(10.0)
        raise RuntimeError(err)

    def _until_it_follows(self, move: subprocess.Popen[str]) -> None:
        until = time.monotonic() + MOST_SECONDS
        while time.monotonic() < until:
            if move.poll() is not None:
                raise RuntimeError((self._state_dir.parent / "move.log").read_text()[-2000:])
            for status in read_move(self._state_dir, RUN, 1):
                if status.is_running and status.state in ("following", "switched"):
                    return
            time.sleep(0.2)
        raise RuntimeError("its passes do not converge")


def rehearse(case: PassesCase) -> RehearsedPasses:
    """Makes one. It blocks."""
    with tempfile.TemporaryDirectory() as place, simulator(case.settings) as simulated:
        return Rehearsal(case, simulated, Path(place) / "state").make()


def main(arguments: Sequence[str] | None = None) -> int:
    """Ends with 1 where a go lacks something, or there was none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--rate", type=float, default=20.0)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--faults", action="store_true")
    parser.add_argument("--defect", default="")
    asked = parser.parse_args(arguments)
    found = []
    for seed in range(asked.first, asked.first + asked.times):
        if asked.faults:
            one = rehearse(PassesCase.with_faults(seed, asked.defect))
        else:
            one = rehearse(PassesCase.measured(seed, asked.rate, asked.items))
        found.append(one)
        told = f"told {one.told:.1f} s ({one.seconds / one.told - 1:+.0%}), " if one.told else ""
        sys.stdout.write(
            f"{seed}: {told}was {one.seconds:.1f} s, exit code {one.code}, asked {one.asked} times,"
            f" {one.differing} differ\n"
        )
        if one.code or one.differing:
            sys.stdout.write(one.said)
        sys.stdout.flush()
    wrong = sum(bool(one.differing or one.code) for one in found)
    worst = max((abs(one.seconds / one.told - 1) for one in found if one.told), default=0.0)
    sys.stdout.write(f"{len(found)} rehearsals, {wrong} wrong; told within {worst:.0%}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
