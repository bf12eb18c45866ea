"""Switches and ways back, rehearsed: `python -m tests.moves.go_back --times 20 --rate 300`.

Each is a move of a simulated table that is switched while it is written, whose target is written
then and whose writers are sent back, by the processes that people have. Both streams show records
late, roll and split. With `--kills` the move or whoever asks is killed at some moment of each step,
and asked again. At each go both tables have to hold the same; between the switch and the cut-back
nothing may be written to the source. Every other one goes forward again in the end.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.simulator import RunningSimulator, Settings, Stream, StreamEvent, Table, simulator
from dynaferry.dynamodb.items.canonical import canonical
from dynaferry.follow.stored_move import read_move
from tests.moves.case import RUN, SOURCE, TARGET
from tests.moves.writer import Writer

MOST_SECONDS = 240.0
MOST_ASKED = 6
WRITER_PROFILE = "writer"
_CONFIG = f"""[profile {WRITER_PROFILE}]
region = us-east-1
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = secret
"""


@dataclass(slots=True)
class WentBack:
    """What became of one: seconds from the last write to each go, and what was wrong."""

    seconds: list[float] = field(default_factory=list)
    back_seconds: list[float] = field(default_factory=list)
    kills: int = 0
    changes: int = 0
    wrong: list[str] = field(default_factory=list)


class Rehearsal:
    """One move, its writers and whoever asks. It blocks."""

    def __init__(
        self, simulated: RunningSimulator, place: Path, chance: random.Random, *, kills: bool
    ) -> None:
        self.simulated = simulated
        self.place = place
        self.chance = chance
        self.kills = kills
        self.found = WentBack()
        self._version = 0
        (place / "config").write_text(_CONFIG, encoding="utf-8")
        self._move = self._started()

    def play(self, rate: float) -> None:
        """Follows, switches, goes back, and half the time once more."""
        writer = self._writing(SOURCE, rate)
        self._until("following")
        self._switch("cut-over", writer, self.found.seconds)
        held = self._held(SOURCE)
        writer = self._writing(TARGET, rate)
        time.sleep(self.chance.uniform(0.5, 3.0))
        if self.kills and self.chance.random() < 0.5:
            self._kill_move()
            time.sleep(self.chance.uniform(0.0, 2.0))
            self._go_on()
        if self._held(SOURCE) != held:
            self.found.wrong.append("the source was written before anybody said cut-back")
        self._switch("cut-back", writer, self.found.back_seconds)
        if self.chance.random() < 0.5:
            writer = self._writing(SOURCE, rate)
            time.sleep(self.chance.uniform(0.0, 2.0))
            self._kill_move()
            self._go_on("--forward")
            self._until("following")
            self._switch("cut-over", writer, self.found.seconds)

    def _switch(self, what: str, writer: Writer, seconds: list[float]) -> None:
        """Asks while the writer writes, stops it, and asks until it goes."""
        asks = self._asking(what)
        time.sleep(self.chance.uniform(0.5, 2.0))
        writer.stop()
        stopped_at = time.time()
        self.found.changes += writer.changes
        self.simulated.stream(SOURCE if what == "cut-over" else TARGET, StreamEvent(do="split"))
        kills = int(self.kills and self.chance.random() < 0.8)
        for _ in range(MOST_ASKED):
            if kills:
                kills -= 1
                time.sleep(self.chance.uniform(0.0, 8.0))
                self.found.kills += 1
                if self.chance.random() < 0.4:
                    asks.kill()
                else:
                    self._kill_move()
            out, err = asks.communicate(timeout=MOST_SECONDS)
            if asks.returncode == 0:
                self._judge(what, json.loads(out), stopped_at, seconds)
                return
            if self._move.poll() is not None:
                self._go_on()
                self._until("following" if what == "cut-over" else "switched", or_later=True)
            asks = self._asking(what)
        asks.kill()
        log = (self.place / "move.log").read_text(encoding="utf-8")[-3000:]
        raise RuntimeError(f"{what}: no go: {out} {err} {log}")

    def _judge(
        self, what: str, report: dict[str, Any], stopped_at: float, seconds: list[float]
    ) -> None:
        source, target = self._held(SOURCE), self._held(TARGET)
        if source != target:
            self.found.wrong.append(f"{what}: {len(source ^ target)} items differ at the go")
        wanted = "switched" if what == "cut-over" else "returned"
        if report["state"] != wanted:
            self.found.wrong.append(f"{what}: it is {report['state']}")
        seconds.append(time.time() - stopped_at)

    def _writing(self, table: str, rate: float) -> Writer:
        self._version += 1_000_000
        writer = Writer(
            self.simulated.url,
            self.simulated.items(table),
            chance=random.Random(self.chance.random()),
            changes_per_second=rate,
            bad_share=0.0,
            table=table,
            first_version=self._version,
        )
        writer.start()
        return writer

    def _held(self, table: str) -> set[bytes]:
        return {canonical(item) for item in self.simulated.items(table)}

    def _until(self, state: str, *, or_later: bool = False) -> None:
        """A process that was started last says so."""
        wanted = {state, *(("switched", "returned") if or_later else ())}
        began, until = self._started_at, time.monotonic() + MOST_SECONDS
        while time.monotonic() < until:
            if self._move.poll() is not None:
                raise RuntimeError((self.place / "move.log").read_text()[-3000:])
            for status in read_move(self.place / "state", RUN, 1):
                if status.at > began and status.state in wanted and (status.lag_seconds or 0) < 3:
                    return
            time.sleep(0.2)
        raise RuntimeError(f"it is not {state}")

    def _kill_move(self) -> None:
        self._move.kill()
        self._move.wait()

    def _go_on(self, *more: str) -> None:
        self._move = self._started(*more)

    def _started(self, *more: str) -> "subprocess.Popen[str]":
        self._started_at = time.time()
        side = "--{0}-region us-east-1 --{0}-endpoint-url {1}"
        options = [
            *side.format("source", self.simulated.url).split(),
            *side.format("target", self.simulated.url).split(),
            *("--state-dir", str(self.place / "state"), "--run", RUN, "--progress", "none"),
            *("--way-back", "keep", *more),
        ]
        with (self.place / "move.log").open("a", encoding="utf-8") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "dynaferry", "move", SOURCE, TARGET, *options],
                stderr=log,
                text=True,
                env=self._environment(),
            )

    def _asking(self, what: str) -> "subprocess.Popen[str]":
        role = ["--source-write-profile", WRITER_PROFILE] if what == "cut-back" else []
        options = [RUN, "--state-dir", str(self.place / "state"), "--json", *role]
        return subprocess.Popen(
            [sys.executable, "-m", "dynaferry", what, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self._environment(),
        )

    def _environment(self) -> dict[str, str]:
        return os.environ | {
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": str(self.place / "config"),
        }

    def end(self) -> None:
        """Ends the process of the move."""
        self._kill_move()


def rehearse(seed: int, rate: float, *, kills: bool = False) -> WentBack:
    """Moves, switches, goes back and judges. It blocks."""
    chance = random.Random(f"way back {seed}")
    with tempfile.TemporaryDirectory() as place, simulator(_settings(seed, chance)) as simulated:
        rehearsal = Rehearsal(simulated, Path(place), chance, kills=kills)
        try:
            rehearsal.play(rate)
        finally:
            rehearsal.end()
        return rehearsal.found


def _settings(seed: int, chance: random.Random) -> Settings:
    def stream() -> Stream:
        every = chance.uniform(10.0, 40.0)
        return Stream(
            shards=4,
            delay_seconds=(0.2, 0.8),
            events=(
                StreamEvent(do="roll", at_seconds=every, every_seconds=every),
                StreamEvent(do="split", at_seconds=every / 2, every_seconds=2 * every),
            ),
        )

    source = Table(name=SOURCE, items=1_000, item_bytes=(150, 900), stream=stream())
    target = Table(name=TARGET, keeps_items=True, stream=stream())
    return Settings(tables=(source, target), seed=seed)


def main(arguments: Sequence[str] | None = None) -> int:
    """Ends with 1 where anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--rate", type=float, default=300.0)
    parser.add_argument("--kills", action="store_true")
    asked = parser.parse_args(arguments)
    found = []
    for seed in range(asked.first, asked.first + asked.times):
        one = rehearse(seed, asked.rate, kills=asked.kills)
        found.append(one)
        told = [f"{each:.1f} s" for each in (*one.seconds, *one.back_seconds)]
        sys.stdout.write(f"{seed}: {', '.join(told)}, {one.kills} kills {one.wrong or ''}\n")
        sys.stdout.flush()
    backs = [each for one in found for each in one.back_seconds]
    wrong = sum(bool(one.wrong) for one in found)
    sys.stdout.write(
        f"{len(found)} ways back, {wrong} wrong, {sum(one.kills for one in found)} kills,"
        f" {sum(one.changes for one in found):,} changes; outage of a way back"
        f" {statistics.median(backs):.1f} s in the median, {max(backs):.1f} s at most\n"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
