"""The comparison behind a go, beside an application: `python -m tests.moves.after_go`.

A move of a simulated table is switched, and from the go on an application writes to the target.
Before, some items of the target are deleted, changed and added past dynaferry, as a defect of ours
would leave them. What the certificate says has to be the truth: those, each as what it is, and none
of what the application wrote.
"""

import argparse
import http.client
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.simulator import OnDemand, RunningSimulator, Settings, Stream, Table, simulator
from dynaferry.follow.after_go_certificate import AfterGoCertificate, read_after_go
from dynaferry.follow.stored_move import read_move
from tests.moves.case import RUN, SOURCE, TARGET
from tests.moves.writer import Writer

WRITERS = 4
# Keys that the application writes to, again and again, beside new ones.
MOST_KEYS = 40_000
SEGMENTS = 40
# What is lost is lost before the go: the witness begins a second before it.
OLDER_SECONDS = 3.0
MOST_SECONDS = 1_800.0

Item = dict[str, Any]


@dataclass(slots=True)
class Certified:
    """What the certificate says, what is true, and how long it took from the go on."""

    certificate: AfterGoCertificate
    lost: int
    written: int
    seconds: float
    told: str

    @property
    def is_true(self) -> bool:
        """Whether exactly what was lost is told."""
        table = self.certificate.tables[0]
        found = (table.missing, table.different, table.extra, table.in_flux)
        status = "different" if self.lost else "equal"
        return found == (self.lost,) * 3 + (0,) and self.certificate.status == status


def certify(
    items: int, rate: float, lost: int, seed: int = 1, *, way_back: str = "none"
) -> Certified:
    """Moves, loses, switches, and waits for the certificate. It blocks."""
    with tempfile.TemporaryDirectory() as place, simulator(_settings(items, seed)) as simulated:
        state_dir = Path(place) / "state"
        with _move(simulated, state_dir, way_back) as move:
            try:
                _until_it_follows(move, state_dir)
                keys = list(_some_items(simulated))
                used = _lose(simulated, keys, lost)
                _cut_over(state_dir)
                return _certified_beside(simulated, state_dir, used, rate, lost, seed)
            finally:
                move.kill()


def _settings(items: int, seed: int) -> Settings:
    stream = Stream(shards=4, delay_seconds=(0.2, 0.8))
    much = OnDemand(write_units=40_000, read_units=40_000)
    source = Table(name=SOURCE, items=items, item_bytes=150, stream=stream, capacity=much)
    target = Table(name=TARGET, stream=stream, capacity=much)
    return Settings(tables=(source, target), seed=seed)


def _certified_beside(
    simulated: RunningSimulator,
    state_dir: Path,
    used: Sequence[bytes],
    rate: float,
    lost: int,
    seed: int,
) -> Certified:
    went_at = time.time()
    writers = [
        Writer(
            simulated.url,
            used[number::WRITERS],
            chance=random.Random(f"{seed} {number}"),
            changes_per_second=rate / WRITERS,
            bad_share=0.0,
            table=TARGET,
        )
        for number in range(WRITERS)
    ]
    for writer in writers:
        writer.start()
    try:
        certificate = _until_certified(state_dir)
    finally:
        for writer in writers:
            writer.stop()
    return Certified(
        certificate,
        lost,
        sum(writer.changes for writer in writers),
        time.time() - went_at,
        (state_dir.parent / "move.log").read_text()[-4000:],
    )


def _some_items(simulated: RunningSimulator) -> Iterator[bytes]:
    """Items of the target, from all over it."""
    for segment in range(SEGMENTS):
        scan = {"TableName": TARGET, "Segment": segment, "TotalSegments": SEGMENTS}
        answer = _send(simulated, "Scan", scan | {"Limit": MOST_KEYS // SEGMENTS})
        for item in answer["Items"]:
            yield json.dumps(item).encode()


def _lose(simulated: RunningSimulator, items: Sequence[bytes], lost: int) -> Sequence[bytes]:
    """Deletes so many, changes as many and adds as many; returns the others."""
    for body in items[:lost]:
        _send(simulated, "DeleteItem", {"TableName": TARGET, "Key": _key(json.loads(body))})
    for body in items[lost : 2 * lost]:
        changed = json.loads(body) | {"old": {"S": "state"}}
        _send(simulated, "PutItem", {"TableName": TARGET, "Item": changed})
    for number in range(lost):
        added = {"pk": {"S": f"never there {number}"}}
        _send(simulated, "PutItem", {"TableName": TARGET, "Item": added})
    time.sleep(OLDER_SECONDS)
    return items[2 * lost :]


def _key(item: Item) -> Item:
    return {"pk": item["pk"]}


def _send(simulated: RunningSimulator, operation: str, request: Item) -> Item:
    connection = http.client.HTTPConnection(urlsplit(simulated.url).netloc, timeout=60)
    headers = {"X-Amz-Target": f"DynamoDB_20120810.{operation}"}
    try:
        connection.request("POST", "/", json.dumps(request).encode(), headers)
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    assert response.status == 200, body
    answer: Item = json.loads(body)
    return answer


def _move(simulated: RunningSimulator, state_dir: Path, way_back: str) -> subprocess.Popen[str]:
    side = "--{0}-region us-east-1 --{0}-endpoint-url {1}"
    options = [
        *side.format("source", simulated.url).split(),
        *side.format("target", simulated.url).split(),
        *("--state-dir", str(state_dir), "--run", RUN, "--progress", "none"),
        *("--way-back", way_back),
    ]
    command = [sys.executable, "-m", "dynaferry", "move", SOURCE, TARGET, *options]
    with (state_dir.parent / "move.log").open("a") as log:
        return subprocess.Popen(command, stderr=log, text=True, env=_environment())


def _environment() -> dict[str, str]:
    keys = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
    return os.environ | keys | {"AWS_EC2_METADATA_DISABLED": "true"}


def _until_it_follows(move: subprocess.Popen[str], state_dir: Path) -> None:
    until = time.monotonic() + MOST_SECONDS
    while time.monotonic() < until:
        if move.poll() is not None:
            raise RuntimeError((state_dir.parent / "move.log").read_text()[-2000:])
        for status in read_move(state_dir, RUN, 1):
            if status.state == "following":
                return
        time.sleep(0.2)
    raise RuntimeError("it does not follow")


def _cut_over(state_dir: Path) -> None:
    command = ["cut-over", RUN, "--state-dir", str(state_dir)]
    subprocess.run(
        [sys.executable, "-m", "dynaferry", *command],
        check=True,
        capture_output=True,
        env=_environment(),
    )


def _until_certified(state_dir: Path) -> AfterGoCertificate:
    until = time.monotonic() + MOST_SECONDS
    while time.monotonic() < until:
        if (found := read_after_go(state_dir, RUN)) is not None:
            return found
        time.sleep(0.2)
    raise RuntimeError((state_dir.parent / "move.log").read_text()[-2000:])


def main(arguments: Sequence[str] | None = None) -> int:
    """Ends with 1 where the certificate does not say the truth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--rate", type=float, default=500.0, help="writes a second to the target")
    parser.add_argument("--lost", type=int, default=40, help="of each kind")
    parser.add_argument("--way-back", choices=("keep", "none"), default="none")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    found = certify(asked.items, asked.rate, asked.lost, asked.seed, way_back=asked.way_back)
    table = found.certificate.tables[0]
    sys.stdout.write(
        f"{found.certificate.status} after {found.seconds:.0f} s:"
        f" {table.source_items:,} items compared beside"
        f" {found.written / found.seconds:,.0f} writes a second to the target\n"
        f"lost {3 * found.lost}, told {table.missing} missing, {table.different} different,"
        f" {table.extra} extra, {table.in_flux} in flux;"
        f" {table.written_to_target:,} keys were written behind the go\n"
        f"{'the truth' if found.is_true else 'NOT THE TRUTH: ' + found.told}\n"
    )
    return 0 if found.is_true else 1


if __name__ == "__main__":
    raise SystemExit(main())
