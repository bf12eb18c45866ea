"""State files with something wrong in them, under every command: `python -m tests.state.fuzz`.

Bits fall over, blocks are lost or change places, rows say what cannot be true, logs are cut. What a
command may say of such a file is that it is damaged, or what it would say of a whole one; what it
may not is that dynaferry has a bug. Prints each seed that went wrong, which
`--first-seed SEED --seeds 1` runs again.
"""

import argparse
import asyncio
import faulthandler
import io
import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import typer

from dynaferry.cli.main import run_command
from dynaferry.state.directory import log_paths, state_path, verification_name
from dynaferry.state.records import RunRecord
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.verify.state.records import (
    ComparedSegment,
    ComparisonCounters,
    Difference,
    Suspect,
    Verification,
)
from dynaferry.verify.state.store import VerificationStore
from tests.state.contract import counters, dead_letter, sample, segment_record
from tests.worlds.moto import MotoWorld, running_moto

RUN: Final = "orders"
SEGMENTS: Final = 4
ITEMS: Final = 12
PATIENCE_SECONDS: Final = 15.0
MOST_SECONDS: Final = 120.0
# A command ends with one of these, whatever the file says: 1 is a bug, and so is whatever else.
CODES: Final = frozenset({0, 2, 3, 4, 5, 6, 130})

ODD_VALUES: Final[tuple[Any, ...]] = (
    None,
    0,
    1,
    -1,
    7,
    2**31,
    2**62,
    -(2**63),
    0.5,
    -0.5,
    1e300,
    float("inf"),
    "",
    "text",
    "none",
    "complete",
    "\N{PILE OF POO}\N{RIGHT-TO-LEFT OVERRIDE}\x1b[2J",
    b"",
    b"\xff\xfe\x00",
    b"{}",
    b"[]",
    b'{"pk":{"S":"a"}}',
    b'{"pk":5}',
    b"[" * 5000,
)
EVERY_ROW: Final = 'UPDATE {table} SET "{column}" = ?'
FIRST_ROW: Final = EVERY_ROW + " WHERE rowid IN (SELECT MIN(rowid) FROM {table})"  # noqa: S608
STATEMENTS: Final = (
    "DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} ORDER BY RANDOM() LIMIT 1)",
    "INSERT INTO {table} SELECT * FROM {table} LIMIT 1",
    "DROP TABLE {table}",
    "ALTER TABLE {table} ADD COLUMN theirs",
    'ALTER TABLE {table} RENAME COLUMN "{column}" TO theirs',
    "CREATE TRIGGER theirs AFTER UPDATE ON {table} BEGIN DELETE FROM {table}; END",
    "CREATE VIEW theirs AS SELECT * FROM {table}",
    'UPDATE {table} SET "{column}" = CAST("{column}" AS TEXT)',
    'UPDATE {table} SET "{column}" = CAST("{column}" AS BLOB)',
    'UPDATE {table} SET "{column}" = -"{column}"',
    'UPDATE {table} SET "{column}" = "{column}" * 1000000',
    'UPDATE {table} SET "{column}" = substr("{column}", 1, length("{column}") / 2)',
    'UPDATE {table} SET "{column}" = replace("{column}", \'"\', \'\')',
    "UPDATE {table} SET \"{column}\" = replace(\"{column}\", ':', ':9')",
    "UPDATE {table} SET \"{column}\" = replace(\"{column}\", 'a', '\x01')",
)


def fallen_bits(path: Path, chance: random.Random) -> None:
    """A few bits are not what they were."""
    content = bytearray(path.read_bytes())
    for _ in range(chance.choice((1, 1, 2, 8, 64))):
        place = chance.randrange(len(content) if chance.random() < 0.8 else min(200, len(content)))
        content[place] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def lost_blocks(path: Path, chance: random.Random) -> None:
    """Blocks are zeroed, filled, exchanged, doubled or cut off."""
    content = bytearray(path.read_bytes())
    size = chance.choice((16, 512, 4096))
    blocks = max(1, len(content) // size)

    def place() -> slice:
        start = chance.randrange(blocks) * size
        return slice(start, start + size)

    how = chance.randrange(5)
    if how == 0:
        content[place()] = bytes(size)
    elif how == 1:
        content[place()] = chance.randbytes(size)
    elif how == 2:
        one, other = place(), place()
        content[one], content[other] = content[other], content[one]
    elif how == 3:
        content[place()] = content[place()]
    else:
        del content[chance.randrange(len(content)) :]
    path.write_bytes(content)


def odd_rows(path: Path, chance: random.Random) -> None:
    """Rows hold what no run has written, in a file that SQLite finds whole."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            table = chance.choice([name for (name,) in names.fetchall()] or ["run"])
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            column = chance.choice(columns or ["run"])
            # What the schema forbids stays as it is.
            with suppress(sqlite3.Error):
                if chance.random() < 0.7:
                    value = chance.choice(ODD_VALUES)
                    statement = chance.choice((EVERY_ROW, FIRST_ROW))
                    connection.execute(statement.format(table=table, column=column), (value,))
                else:
                    statement = chance.choice(STATEMENTS)
                    connection.execute(statement.format(table=table, column=column))


def odd_log(path: Path, chance: random.Random) -> None:
    """The log that a crash left is not what it was."""
    log, index = log_paths(path)
    if log.exists() and log.stat().st_size:
        chance.choice((fallen_bits, lost_blocks))(log, chance)
    if index.exists() and chance.random() < 0.5:
        index.unlink()


MUTATIONS: Final = (fallen_bits, lost_blocks, odd_rows, odd_rows, odd_log)


@dataclass(slots=True)
class Tally:
    """How many commands ended how, and what went wrong, by seed."""

    codes: Counter[tuple[str, int]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    @property
    def commands(self) -> int:
        """How many were run."""
        return sum(self.codes.values())


@dataclass(frozen=True, slots=True)
class Ground:
    """Two tables, and templates of state directories that are of them."""

    world: MotoWorld
    templates: Sequence[Path]
    place: Path

    def of_seed(self, seed: int, state_dir: Path, slow_every: int) -> list[tuple[str, ...]]:
        """All that ask nobody but the file; of those that ask a service, one in turn now and then.

        Of every seed all of them where `slow_every` is 0.
        """
        slow = list(self.asking_a_service(state_dir))
        if slow_every:
            turn, is_not_yet = divmod(seed, slow_every)
            slow = [] if is_not_yet else [slow[turn % len(slow)]]
        return [*self.commands(state_dir), *slow]

    def commands(self, state_dir: Path) -> Iterator[tuple[str, ...]]:
        """Every command that opens a state file and no more."""
        ours = ("--state-dir", str(state_dir))
        out = str(self.place / "out")
        yield ("status", RUN, *ours)
        yield ("status", RUN, "--json", *ours)
        yield ("report", RUN, "-o", out, *ours)
        yield ("dead-letters", "list", RUN, *ours)
        yield ("dead-letters", "list", RUN, "--json", *ours)
        yield ("dead-letters", "export", RUN, "-o", out, *ours)
        yield ("set", RUN, "--max-write-units", "500", "--json", *ours)
        yield ("pause", RUN, *ours)
        yield ("resume", RUN, *ours)

    def asking_a_service(self, state_dir: Path) -> Iterator[tuple[str, ...]]:
        """Every command that goes on from what the file says."""
        ours = ("--state-dir", str(state_dir))
        sides = (
            *("--source-endpoint-url", self.world.url, "--source-region", "us-east-1"),
            *("--target-endpoint-url", self.world.url, "--target-region", "us-east-1"),
            *("--progress", "none"),
        )
        yield ("dead-letters", "replay", RUN, "--target-region", "us-east-1", *ours)
        yield ("verify", "orders", "people", *sides, "--run", RUN, "--settle", "0", *ours)
        yield ("copy", "orders", "people", *sides, "--run", RUN, "--dry-run", *ours)
        yield ("copy", "orders", "people", *sides, "--run", RUN, *ours)


@contextmanager
def _command_line_made_once() -> Iterator[None]:
    """It is made anew with each command otherwise, which takes longer than the command."""
    made = typer.main.get_command
    with patch.object(typer.main, "get_command", cache(made)):
        yield


@contextmanager
def ground(place: Path) -> Iterator[Ground]:
    """The ground of many seeds, made by copies that really ran."""
    with running_moto() as url, _environment(), _command_line_made_once():
        world = MotoWorld(url).reset()  # of what other tests in this process left
        asyncio.run(_seed(world))
        found = Ground(world, [place / name for name in ("complete", "half", "crashed")], place)
        complete, half, crashed = found.templates
        code, said = run(_command_that_copies(found, complete))
        if code != 0:
            raise RuntimeError(f"the first copy ended with {code}: {said}")
        asyncio.run(_make_half(complete, half, crashed))
        yield found


def _command_that_copies(found: Ground, state_dir: Path) -> tuple[str, ...]:
    *_, copy = found.asking_a_service(state_dir)
    return (*copy, "--create-target", "--segments", str(SEGMENTS))


@contextmanager
def _environment() -> Iterator[None]:
    kept = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ |= {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    os.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    try:
        yield
    finally:
        os.environ.clear()
        os.environ |= kept


async def _seed(world: MotoWorld) -> None:
    await world.source_tables.create_table("orders")
    items: list[Any] = [{"pk": {"S": f"k{n}"}, "n": {"N": str(n)}} for n in range(ITEMS)]
    await world.source_tables.put_items("orders", items)


async def _make_half(complete: Path, half: Path, crashed: Path) -> None:
    """A run that was interrupted, with letters and a verification; and the same, crashed."""
    store = await SqliteStore.open_for_reading(complete, RUN)
    record = await store.read_run()
    await store.aclose()
    now = record.created_at
    store = await SqliteStore.create(half, RUN, record.identity, record.settings, "1", now)
    await store.begin_attempt("1", now)
    letters = [dead_letter(f"k{n}", segment=1) for n in range(3)]
    await store.add_dead_letters([*letters, dead_letter("beyond", segment=1, page=9)])
    segments = [segment_record(0, complete=True), segment_record(1, rejected=3)]
    await store.checkpoint(0, segments, counters())
    for second in range(3):
        await store.add_sample(sample(second))
    await _make_verification(half, record)
    await store.end_attempt("interrupted", now + 9)
    await store.begin_attempt("1", now + 10)
    shutil.copytree(half, crashed)
    await store.end_attempt("interrupted", now + 11)
    await store.aclose()


async def _make_verification(state_dir: Path, record: RunRecord) -> None:
    begun = Verification(
        run=RUN,
        identity=record.identity,
        sample_percent=None,
        seed=1,
        version="1",
        status="running",
        attempts=0,
        created_at=record.created_at,
        started_at=record.created_at,
    )
    store = await VerificationStore.create(state_dir, begun)
    await store.begin_attempt("1", record.created_at)
    suspects = [Suspect(2, b'{"pk":{"S":"k%d"}}' % n, True, b"1" * 16, None, 1.0) for n in range(3)]
    await store.add_suspects(0, suspects)
    segment = ComparedSegment(
        segment=2,
        source_items=5,
        target_items=4,
        matching=3,
        source_digest="a" * 32,
        target_digest="b" * 32,
    )
    await store.finish_segment(0, segment, ComparisonCounters())
    difference = Difference(key=suspects[0].key, kind="missing")
    await store.settle(
        0, suspects[:1], matching=0, differences=[difference], counters=ComparisonCounters()
    )
    await store.end_attempt("interrupted", record.created_at + 1)
    await store.aclose()


def run(command: Sequence[str]) -> tuple[int, str]:
    """The exit code of a command, run in this process, and what it said."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), _stopped_after(PATIENCE_SECONDS):
        code = run_command(list(command))
    return code, err.getvalue() + out.getvalue()


@contextmanager
def _stopped_after(seconds: float) -> Iterator[None]:
    """What is paused, or has next to no units, by what its file says, is asked to stop."""
    over = threading.Event()

    def stop() -> None:
        while not over.wait(seconds):
            os.kill(os.getpid(), signal.SIGINT)

    stopping = threading.Thread(target=stop, daemon=True)
    stopping.start()
    try:
        yield
    finally:
        over.set()
        stopping.join()


def mutated(found: Ground, seed: int, state_dir: Path) -> str:
    """Makes the seed's state directory; returns what is wrong with it."""
    chance = random.Random(seed)
    template = chance.choice(found.templates)
    shutil.copytree(template, state_dir)
    verifies = state_path(state_dir, verification_name(RUN))
    path = verifies if verifies.exists() and chance.random() < 0.25 else state_path(state_dir, RUN)
    mutation: Callable[[Path, random.Random], None] = chance.choice(MUTATIONS)
    mutation(path, chance)
    return f"{mutation.__name__} of {path.name} ({template.name})"


def fuzz(found: Ground, seed: int, tally: Tally, *, slow_every: int = 1) -> None:
    """Runs the commands on the file of a seed, each on a copy of its own."""
    state_dir, kept = found.place / "state", found.place / "kept"
    what = mutated(found, seed, kept)
    for command in found.of_seed(seed, state_dir, slow_every):
        shutil.copytree(kept, state_dir)
        name = " ".join(part for part in command[:2] if part != RUN)
        faulthandler.dump_traceback_later(MOST_SECONDS, exit=True)
        try:
            code, said = run(command)
        except BaseException as error:
            code, said = 1, f"{type(error).__name__}: {error}"
            if not isinstance(error, Exception):
                raise
        finally:
            faulthandler.cancel_dump_traceback_later()
            shutil.rmtree(state_dir)
        tally.codes[name, code] += 1
        if code not in CODES or "internal error" in said:
            tally.failures.append(f"seed {seed}, {what}, {name}: {code} {said.strip()[:300]}")
    shutil.rmtree(kept)


def main() -> int:
    """Runs many seeds, and returns 1 if one went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument(
        "--slow-every", type=int, default=1, help="of so many seeds one runs a slow command; 0: all"
    )
    asked = parser.parse_args()
    tally, began = Tally(), time.monotonic()
    with tempfile.TemporaryDirectory() as place, ground(Path(place)) as found:
        for seed in range(asked.first_seed, asked.first_seed + asked.seeds):
            told = len(tally.failures)
            fuzz(found, seed, tally, slow_every=asked.slow_every)
            for failure in tally.failures[told:]:
                print(failure, flush=True)  # noqa: T201
    for (name, code), times in sorted(tally.codes.items()):
        print(f"{name:24} exit {code}: {times:,}")  # noqa: T201
    print(  # noqa: T201
        f"{asked.seeds:,} files, {tally.commands:,} commands, {len(tally.failures)} went wrong, "
        f"{time.monotonic() - began:.0f} s"
    )
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
