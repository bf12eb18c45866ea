"""Rehearsed switches without a stream: `python -m tests.moves.rehearse_passes --times 5`.

Each is a move of a simulated table that is written all the while, at a rate of reading that makes a
pass take some seconds. The outage is told, the writers stop, and it is switched; with `--kills` a
process is killed in the midst of it, started again and asked again. Prints the told outage beside
the real one, from the last write to the go, and whether the target holds everything then.
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

from benchmarks.simulator import RunningSimulator, Settings, Table, simulator
from dynaferry.follow.stored_move import read_move
from tests.moves.case import RUN, SOURCE, TARGET
from tests.moves.simulated_move import child_environment, dynaferry, held, side_options
from tests.moves.writer import Writer

MOST_SECONDS = 300.0


@dataclass(slots=True)
class RehearsedPasses:
    """What became of one: the outage that was told and the real one, and what the target lacks."""

    told: float
    seconds: float
    code: int
    differing: int
    asked: int
    said: str


def rehearse(seed: int, rate: float, items: int, *, kills: bool = False) -> RehearsedPasses:
    """Moves, switches and judges. It blocks."""
    chance = random.Random(f"passes {seed}")
    source = Table(name=SOURCE, items=items, item_bytes=(600, 1400), keeps_items=True)
    settings = Settings(tables=(source, Table(name=TARGET, keeps_items=True)), seed=seed)
    read_units = items * 0.25 / chance.uniform(10.0, 25.0)
    with tempfile.TemporaryDirectory() as place, simulator(settings) as simulated:
        state_dir = Path(place) / "state"
        writer = Writer(
            simulated.url,
            simulated.items(SOURCE),
            chance=random.Random(f"{seed} writes"),
            changes_per_second=rate,
            bad_share=0.0,
        )
        move = _move(simulated, state_dir, read_units)
        asks: subprocess.Popen[str] | None = None
        try:
            writer.start()
            _wait_until_it_follows(move, state_dir)
            time.sleep(chance.uniform(0.0, 30.0))
            told = _told(state_dir)
            writer.stop()
            stopped_at, asked, code, said = time.time(), 0, 7, ""
            while code != 0 and asked < (4 if kills else 1):
                if move.poll() is not None:
                    move = _move(simulated, state_dir, read_units)
                    _wait_until_it_follows(move, state_dir)
                asks, asked = _asking(state_dir), asked + 1
                if kills and asked == 1:
                    time.sleep(chance.uniform(0.0, told))
                    if chance.random() < 0.5:
                        asks.kill()
                    else:
                        move.kill()
                        move.wait()
                out, said = asks.communicate(timeout=MOST_SECONDS)
                code = asks.returncode
            report = json.loads(out) if code in (0, 7) else {}
            went_at = report.get("switched_at") or time.time()
            differing = held(simulated, SOURCE) ^ held(simulated, TARGET)
            outage = went_at - stopped_at
            return RehearsedPasses(told, outage, code, len(differing), asked, said)
        finally:
            for process in (asks, move):
                if process is not None:
                    process.kill()
                    process.wait()


def _move(simulated: RunningSimulator, state_dir: Path, read_units: float) -> subprocess.Popen[str]:
    options = [
        *side_options(simulated),
        *("--state-dir", str(state_dir), "--run", RUN, "--progress", "none"),
        *("--without-stream", "--max-read-units", f"{read_units:.0f}"),
    ]
    with (state_dir.parent / "move.log").open("a") as log:
        return subprocess.Popen(
            dynaferry("move", SOURCE, TARGET, *options),
            stderr=log,
            text=True,
            env=child_environment(),
        )


def _asking(state_dir: Path, *more: str) -> subprocess.Popen[str]:
    command = dynaferry(
        *("cut-over", RUN, "--state-dir", str(state_dir), "--timeout", "240", "--json", *more)
    )
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=child_environment(),
    )


def _told(state_dir: Path) -> float:
    check = _asking(state_dir, "--check")
    out, err = check.communicate(timeout=MOST_SECONDS)
    if check.returncode:
        raise RuntimeError(err)
    return float(json.loads(out)["outage_seconds"])


def _wait_until_it_follows(move: subprocess.Popen[str], state_dir: Path) -> None:
    began, until = time.time(), time.monotonic() + MOST_SECONDS
    while time.monotonic() < until:
        if move.poll() is not None:
            raise RuntimeError((state_dir.parent / "move.log").read_text()[-2000:])
        for status in read_move(state_dir, RUN, 1):
            if status.at > began and status.is_running and status.state == "following":
                return
        time.sleep(0.2)
    raise RuntimeError("its passes do not converge")


def main(arguments: Sequence[str] | None = None) -> int:
    """Ends with 1 where a go lacks something, or there was none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--kills", action="store_true")
    asked = parser.parse_args(arguments)
    found = []
    for seed in range(asked.first, asked.first + asked.times):
        one = rehearse(seed, asked.rate, asked.items, kills=asked.kills)
        found.append(one)
        sys.stdout.write(
            f"{seed}: told {one.told:.1f} s, was {one.seconds:.1f} s"
            f" ({one.seconds / one.told - 1:+.0%}), exit code {one.code}, asked {one.asked} times,"
            f" {one.differing} differ\n"
        )
        if one.code or one.differing:
            sys.stdout.write(one.said)
        sys.stdout.flush()
    wrong = sum(bool(one.differing or one.code) for one in found)
    worst = max(abs(one.seconds / one.told - 1) for one in found)
    sys.stdout.write(f"{len(found)} rehearsals, {wrong} wrong; told within {worst:.0%}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
