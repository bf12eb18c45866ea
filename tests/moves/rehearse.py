"""Rehearsed cut-overs: `python -m tests.moves.rehearse --times 20 --rate 2000`.

Each is a move of a simulated table that is written all the while, whose stream shows records late,
rolls and splits. Somebody asks for the cut-over while the writers write; they stop a moment later,
and at that moment a shard splits. Prints the outage, from the last write to the go, and whether the
target holds everything at each go. With a `--scenario` something stands in the way:

  plain         nothing more
  late          what is written last shows 4 to 4.9 s after its write
  throttled     the target takes a tenth more than the writers write
  lost-answers  of a hundredth of the writes to the target nobody hears what became of them
  never-stop    the writers go on: there is no go within the time that is given
  kill          one of the two processes is killed at some moment, started again, and asked again

`--kills N` makes switches instead whose processes are killed N times, in every state of a move and
at each moment of the go: there days are seconds.
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
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from benchmarks.simulator import (
    LostAnswers,
    OnDemand,
    RunningSimulator,
    Settings,
    Stream,
    StreamEvent,
    Table,
    simulator,
)
from dynaferry.dynamodb.items.canonical import canonical
from dynaferry.follow.stored_move import read_move
from tests.faults.soak import strangers_environment
from tests.moves.case import RUN, SOURCE, TARGET
from tests.moves.switch_case import SwitchCase
from tests.moves.switched import CONFIG, switch
from tests.moves.writer import Writer

Scenario = Literal["plain", "late", "throttled", "lost-answers", "never-stop", "kill"]

WRITERS = 4
MOST_SECONDS = 150.0
NEVER_STOP_SECONDS = 20.0
MOST_ASKED = 4
CHECKS = 3


@dataclass(slots=True)
class Rehearsed:
    """What became of one: seconds from the last write to the end, and what the target lacks.

    `checks` are the seconds of each `cut-over --check` that was asked before, from its start on.
    """

    seconds: float
    code: int
    differing: int
    asked: int
    told: str
    wanted_code: int = 0
    checks: tuple[float, ...] = ()

    @property
    def is_good(self) -> bool:
        """Whether it ended as it should, and at a go nothing was missing."""
        return self.code == self.wanted_code and not self.differing


class Rehearsal:
    """One rehearsal: its writers, its move, and whoever asks."""

    def __init__(
        self, seed: int, rate: float, scenario: Scenario, simulated: RunningSimulator, place: Path
    ) -> None:
        self._chance = random.Random(f"rehearsed {seed}")
        self._scenario = scenario
        self._simulated = simulated
        self._state_dir = place / "state"
        self._processes: list[subprocess.Popen[str]] = []
        self._asked = 0
        self._writers = [
            Writer(
                simulated.url,
                simulated.items(SOURCE),
                chance=random.Random(f"{seed} {number}"),
                changes_per_second=rate / WRITERS,
                bad_share=0.0,
            )
            for number in range(WRITERS)
        ]

    def make(self) -> Rehearsed:
        """Moves, switches and judges. It blocks."""
        try:
            for writer in self._writers:
                writer.start()
            move = self._moving()
            checks = tuple(self._checking() for _ in range(CHECKS))
            asks = self._asking()
            time.sleep(self._chance.uniform(0.5, 2.5))
            if self._scenario == "never-stop":
                _, err = asks.communicate(timeout=MOST_SECONDS)
                return Rehearsed(
                    0.0, asks.returncode, 0, self._asked, err, wanted_code=7, checks=checks
                )
            stopped_at = self._stop_writers()
            if self._scenario == "kill":
                time.sleep(self._chance.uniform(0.0, 8.0))
                (asks if self._chance.random() < 0.5 else move).kill()
            code, report, told = self._end_of(asks)
            while code != 0 and self._scenario == "kill" and self._asked < MOST_ASKED:
                if move.poll() is not None:
                    move = self._moving()
                code, report, told = self._end_of(self._asking())
            went_at = report.get("switched_at") or time.time()
            differing = self._items(SOURCE) ^ self._items(TARGET)
            return Rehearsed(
                went_at - stopped_at, code, len(differing), self._asked, told, checks=checks
            )
        finally:
            for process in self._processes:
                process.kill()
                process.wait()
            for writer in self._writers:
                writer.stop()

    def _stop_writers(self) -> float:
        """When they have stopped."""
        if self._scenario == "late":
            event = StreamEvent(do="delay", delay_seconds=(4.0, 4.9))
            self._simulated.stream(SOURCE, event)
            time.sleep(0.3)
        for writer in self._writers:
            writer.stop()
        stopped_at = time.time()
        self._simulated.stream(SOURCE, StreamEvent(do="split"))
        return stopped_at

    def _end_of(self, asks: subprocess.Popen[str]) -> tuple[int, dict[str, Any], str]:
        out, err = asks.communicate(timeout=MOST_SECONDS)
        return asks.returncode, json.loads(out) if asks.returncode in (0, 7) else {}, err

    def _moving(self) -> subprocess.Popen[str]:
        """A move that follows."""
        side = "--{0}-region us-east-1 --{0}-endpoint-url {1}"
        options = [
            *side.format("source", self._simulated.url).split(),
            *side.format("target", self._simulated.url).split(),
            *("--state-dir", str(self._state_dir), "--run", RUN, "--progress", "none"),
        ]
        typed, log = ("move", SOURCE, TARGET, *options), self._state_dir.with_suffix(".log")
        with log.open("a") as told:
            move = self._begun(*typed, stdout=subprocess.DEVNULL, stderr=told)
        began, until = time.time(), time.monotonic() + MOST_SECONDS
        while time.monotonic() < until and move.poll() is None:
            for status in read_move(self._state_dir, RUN, 1):
                is_near = status.state == "following" and (status.lag_seconds or 9) < 3
                if status.at > began and is_near:
                    return move
            time.sleep(0.2)
        raise RuntimeError(f"it does not follow: {log.read_text()[-2000:]}")

    def _checking(self) -> float:
        """The seconds that an answer to whether it is ready takes, with the start of Python."""
        began, pipe = time.monotonic(), subprocess.PIPE
        options = ("--check", "--state-dir", str(self._state_dir), "--json")
        asks = self._begun("cut-over", RUN, *options, stdout=pipe, stderr=pipe)
        out, err = asks.communicate(timeout=MOST_SECONDS)
        if asks.returncode not in (0, 7):
            raise RuntimeError(f"exit code {asks.returncode} of a check: {out} {err}")
        return time.monotonic() - began

    def _asking(self) -> subprocess.Popen[str]:
        self._asked += 1
        options: tuple[str, ...] = ("--state-dir", str(self._state_dir), "--json")
        if self._scenario == "never-stop":
            options += ("--timeout", f"{NEVER_STOP_SECONDS:g}")
        pipe = subprocess.PIPE
        return self._begun("cut-over", RUN, *options, stdout=pipe, stderr=pipe)

    def _begun(self, *typed: str, stdout: Any, stderr: Any) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "dynaferry", *typed]
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr, text=True)
        self._processes.append(process)
        return process

    def _items(self, table: str) -> set[bytes]:
        return {canonical(item) for item in self._simulated.items(table)}


def rehearse(seed: int, rate: float, scenario: Scenario = "plain") -> Rehearsed:
    """Moves, switches and judges. It blocks."""
    settings = _settings(seed, rate, scenario)
    with tempfile.TemporaryDirectory() as place, simulator(settings) as simulated:
        return Rehearsal(seed, rate, scenario, simulated, Path(place)).make()


def _settings(seed: int, rate: float, scenario: Scenario) -> Settings:
    chance = random.Random(f"rehearsal {seed}")
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
    # An item of the writers has up to 2.5 KB, and 1.3 units on the average.
    capacity = OnDemand(write_units=1.1 * 1.3 * rate) if scenario == "throttled" else OnDemand()
    lost = LostAnswers(share=0.01, late_seconds=5.0) if scenario == "lost-answers" else None
    target = Table(name=TARGET, keeps_items=True, capacity=capacity, lost_answers=lost)
    return Settings(tables=(source, target), seed=seed)


def kill(kills: int, first: int, directory: Path) -> int:
    """Makes switches until so many processes were killed; returns how many went wrong."""
    killed: Counter[str] = Counter()
    wrong = asked = not_ready = switches = gone = 0
    while killed.total() < kills:
        seed = first + switches
        found = switch(SwitchCase.of(seed), directory / str(seed))
        killed.update(found.killed)
        asked, not_ready = asked + found.asked, not_ready + found.not_ready
        gone += found.gone
        switches, wrong = switches + 1, wrong + bool(found.wrong)
        what = "; ".join(found.wrong) or "good"
        _say(f"{seed}: {found.seconds:.0f} s, killed {', '.join(found.killed)}: {what}")
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(killed.items()))
    _say(
        f"{switches} moves, asked {asked} times: {gone} go, {not_ready} not ready; {killed.total()}"
        f" kills ({kinds}): {wrong} wrong"
    )
    return wrong


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Ends with 1 where a go lacks something, or something did not end as it should."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--rate", type=float, default=2000.0)
    parser.add_argument("--scenario", choices=get_args(Scenario), default="plain")
    parser.add_argument("--kills", type=int)
    parser.add_argument("--tell", action="store_true", help="each step of each")
    asked = parser.parse_args(arguments)
    strangers_environment(os.environ)
    if asked.kills is not None:
        with tempfile.TemporaryDirectory() as place:
            config = Path(place) / "config"
            config.write_text(CONFIG)
            os.environ["AWS_CONFIG_FILE"] = str(config)
            return 1 if kill(asked.kills, asked.first, Path(place)) else 0
    found = []
    for seed in range(asked.first, asked.first + asked.times):
        one = rehearse(seed, asked.rate, asked.scenario)
        found.append(one)
        ended = f"exit code {one.code}, asked {one.asked} times, {one.differing} differ"
        _say(f"{seed}: {one.seconds:.2f} s, {ended}")
        if asked.tell or not one.is_good:
            _say(one.told)
    seconds = [one.seconds for one in found if not one.code] or [math.inf]
    wrong = sum(not one.is_good for one in found)
    checks = [check for one in found for check in one.checks]
    _say(
        f"{asked.scenario}: {len(found)} rehearsals, {wrong} wrong; outage"
        f" {statistics.median(seconds):.1f} s in the median, {max(seconds):.1f} s at most; --check"
        f" answers in {statistics.median(checks):.1f} s, {max(checks):.1f} s at most"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
