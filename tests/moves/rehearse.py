"""Rehearsed cut-overs: `python -m tests.moves.rehearse --times 20 --rate 2000`.

Each is a move of a simulated table that is written all the while, whose stream shows records late,
rolls and splits. Somebody asks for the cut-over while the writers write; they stop a moment later;
with `--kills` a process is killed at some moment of it, started again, and asked again. Prints the
outage, from the last write to the go, and whether the target holds everything at each go.
"""

import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.simulator import RunningSimulator, Settings, Stream, StreamEvent, Table, simulator
from dynaferry.dynamodb.items.canonical import canonical
from dynaferry.follow.stored_move import read_move
from tests.moves.case import RUN, SOURCE, TARGET
from tests.moves.writer import Writer

WRITERS = 4
MOST_SECONDS = 150.0


@dataclass(slots=True)
class Rehearsed:
    """What became of one: seconds from the last write to the go, and what the target lacks."""

    seconds: float
    code: int
    differing: int
    asked: int = 1
    told: str = ""


def rehearse(seed: int, rate: float, *, kills: bool = False) -> Rehearsed:
    """Moves, switches and judges. It blocks."""
    chance = random.Random(f"rehearsal {seed}")
    with tempfile.TemporaryDirectory() as place, simulator(_settings(seed, chance)) as simulated:
        state_dir = Path(place) / "state"
        writers = [
            Writer(
                simulated.url,
                simulated.items(SOURCE),
                chance=random.Random(f"{seed} {number}"),
                changes_per_second=rate / WRITERS,
                bad_share=0.0,
            )
            for number in range(WRITERS)
        ]
        move = _move(simulated, state_dir)
        asks: subprocess.Popen[str] | None = None
        try:
            for writer in writers:
                writer.start()
            _wait_until_it_follows(move, state_dir)
            asks = _asking(state_dir)
            time.sleep(chance.uniform(0.5, 2.5))
            for writer in writers:
                writer.stop()
            stopped_at, asked = time.time(), 1
            simulated.stream(SOURCE, StreamEvent(do="split"))
            if kills:
                time.sleep(chance.uniform(0.0, 8.0))
                if chance.random() < 0.5:
                    asks.kill()
                else:
                    move.kill()
                    move.wait()
            out, err = asks.communicate(timeout=MOST_SECONDS)
            code = asks.returncode
            while code != 0 and asked < 4 and kills:
                if move.poll() is not None:
                    move = _move(simulated, state_dir)
                    _wait_until_it_follows(move, state_dir)
                asks, asked = _asking(state_dir), asked + 1
                out, err = asks.communicate(timeout=MOST_SECONDS)
                code = asks.returncode
            report = json.loads(out) if code in (0, 7) else {}
            went_at = report.get("switched_at") or time.time()
            differing = _held(simulated, SOURCE) ^ _held(simulated, TARGET)
            return Rehearsed(went_at - stopped_at, code, len(differing), asked, err)
        finally:
            for process in (asks, move):
                if process is not None:
                    process.kill()
                    process.wait()


def _settings(seed: int, chance: random.Random) -> Settings:
    every = chance.uniform(10.0, 40.0)
    stream = Stream(
        shards=16,
        delay_seconds=(0.2, 0.8),
        events=(
            StreamEvent(do="roll", at_seconds=every, every_seconds=every),
            StreamEvent(do="split", at_seconds=every / 2, every_seconds=2 * every),
        ),
    )
    source = Table(name=SOURCE, items=2_000, item_bytes=(150, 900), stream=stream)
    return Settings(tables=(source, Table(name=TARGET, keeps_items=True)), seed=seed)


def _command(*typed: str) -> list[str]:
    return [sys.executable, "-m", "dynaferry", *typed]


def _move(simulated: RunningSimulator, state_dir: Path) -> subprocess.Popen[str]:
    side = "--{0}-region us-east-1 --{0}-endpoint-url {1}"
    options = [
        *side.format("source", simulated.url).split(),
        *side.format("target", simulated.url).split(),
        *("--state-dir", str(state_dir), "--run", RUN, "--progress", "none"),
    ]
    with (state_dir.parent / "move.log").open("a") as log:
        return subprocess.Popen(
            _command("move", SOURCE, TARGET, *options), stderr=log, text=True, env=_environment()
        )


def _asking(state_dir: Path) -> subprocess.Popen[str]:
    command = _command("cut-over", RUN, "--state-dir", str(state_dir), "--json")
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=_environment()
    )


def _environment() -> dict[str, str]:
    keys = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
    return os.environ | keys | {"AWS_EC2_METADATA_DISABLED": "true"}


def _wait_until_it_follows(move: subprocess.Popen[str], state_dir: Path) -> None:
    began, until = time.time(), time.monotonic() + MOST_SECONDS
    while time.monotonic() < until:
        if move.poll() is not None:
            raise RuntimeError((state_dir.parent / "move.log").read_text()[-2000:])
        for status in read_move(state_dir, RUN, 1):
            if status.at > began and status.state == "following" and (status.lag_seconds or 9) < 3:
                return
        time.sleep(0.2)
    raise RuntimeError("it does not follow")


def _held(simulated: RunningSimulator, table: str) -> set[bytes]:
    return {canonical(item) for item in simulated.items(table)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Ends with 1 where a go lacks something, or there was none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--rate", type=float, default=2000.0)
    parser.add_argument("--kills", action="store_true")
    asked = parser.parse_args(arguments)
    found = []
    for seed in range(asked.first, asked.first + asked.times):
        one = rehearse(seed, asked.rate, kills=asked.kills)
        found.append(one)
        sys.stdout.write(
            f"{seed}: {one.seconds:.2f} s, exit code {one.code}, asked {one.asked} times,"
            f" {one.differing} differ\n"
        )
        if one.code or one.differing:
            sys.stdout.write(one.told)
        sys.stdout.flush()
    seconds = [one.seconds for one in found if not one.code]
    wrong = sum(bool(one.differing or one.code) for one in found)
    seconds = seconds or [math.inf]
    sys.stdout.write(
        f"{len(found)} rehearsals, {wrong} wrong; outage {statistics.median(seconds):.1f} s in the"
        f" median, {max(seconds):.1f} s at most\n"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
