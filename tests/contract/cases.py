"""Every command that prints JSON, in every way that it ends. Each case begins with nothing."""

import asyncio
import fcntl
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from tests.contract import shapes
from tests.contract.move_cases import move_cases
from tests.contract.world import (
    ENDPOINT,
    FIXTURES,
    HERE,
    REACH_SOURCE,
    REACH_TARGET,
    SECONDS,
    SEGMENTS,
    ContractWorld,
    Said,
    an_item,
    copy,
    ended,
    look,
    some_items,
    verify,
)
from tests.worlds.moto import REGION, TARGET_EXTERNAL_ID, TARGET_ROLE_ARN

Case = Callable[[ContractWorld, Path], Said]
STATES: Final = FIXTURES / "state"

# Of the run `move`; its file is in the directory that it is run in.
PLAN: Final = f"""\
state_dir = "state"
sts_endpoint_url = "{ENDPOINT}"
segments = {SEGMENTS}
readers = 2
writers = 2
tables_at_once = 1
max_write_units = 4000

[source]
region = "{REGION}"
endpoint_url = "{ENDPOINT}"

[target]
region = "{REGION}"
endpoint_url = "{ENDPOINT}"
role_arn = "{TARGET_ROLE_ARN}"
external_id = "{TARGET_EXTERNAL_ID}"

[[tables]]
source = "orders"
target = "orders"

[[tables]]
source = "events"
target = "events"
max_write_units = 2000

[limits]
time_zone = "Europe/Berlin"

[[limits.schedule]]
weekdays = ["sat", "sun"]
max_write_units = "none"

[[limits.schedule]]
hours = "22:00-06:00"
max_read_units = 3000
max_write_units = 3000
"""


def copy_plan(*more: str) -> tuple[str, ...]:
    """The command line of the copy of two tables."""
    return ("copy", "--plan", "move.toml", "--progress", "none", *more)


@dataclass(frozen=True)
class Recorded:
    """A case under its name; `lines` where it prints a document a line."""

    name: str
    run: Case
    lines: bool = False

    def contract(self, world: ContractWorld, cwd: Path) -> dict[str, Any]:
        """What is recorded of it."""
        return shapes.contract_of(self.run(world, cwd), lines=self.lines)


def with_state(cwd: Path, name: str) -> None:
    """Puts a recorded state directory into its place, with the rights that dynaferry gives it."""
    for path in sorted((STATES / name).iterdir()):
        place = cwd / "state" / path.name
        place.parent.mkdir(mode=0o700, exist_ok=True)
        shutil.copyfile(path, place)
        place.chmod(0o600)


# Copy ----------------------------------------------------------------------------------------


def copy_complete(world: ContractWorld, cwd: Path) -> Said:
    world.make_tables()
    return world.run(cwd, *copy("--json"))


def copy_already_complete(world: ContractWorld, cwd: Path) -> Said:
    world.make_tables()
    world.run(cwd, *copy())
    return world.run(cwd, *copy("--json"))


def copy_rejected(world: ContractWorld, cwd: Path) -> Said:
    world.make_tables(some_items(refused=[3, 77]))
    return world.run(cwd, *copy("--json"))


def copy_interrupted(world: ContractWorld, cwd: Path) -> Said:
    world.make_tables()
    return interrupted(world, cwd, copy("--json"), hold=("BatchWriteItem", 4))


def copy_failed(world: ContractWorld, cwd: Path) -> Said:
    world.make_tables()
    world.service.fails = "BatchWriteItem"
    return world.run(cwd, *copy("--json", "--patience", "0.5"))


def copy_failed_by_rejections(world: ContractWorld, cwd: Path) -> Said:
    world.make_tables(some_items(refused=[3, 77]))
    return world.run(cwd, *copy("--json", "--max-rejected", "0"))


def copy_refused(world: ContractWorld, cwd: Path) -> Said:
    world.make_tables(target=None)
    return world.run(cwd, *copy("--json"))


def copy_refused_by_state(world: ContractWorld, cwd: Path) -> Said:
    world.make_tables()
    (cwd / "state").mkdir()
    (cwd / "state" / "orders.sqlite").write_bytes(b"x" * 4096)
    return world.run(cwd, *copy("--json"))


def copy_usage(_: ContractWorld, cwd: Path) -> Said:
    return look(cwd, "copy", "--json")


def copy_unknown_flag(_: ContractWorld, cwd: Path) -> Said:
    return look(cwd, "copy", "orders", "orders", "--no-such-flag", "--json")


def copy_dry_run(world: ContractWorld, cwd: Path) -> Said:
    world.make_tables()
    return world.run(cwd, *copy("--json", "--dry-run"))


def copy_dry_run_that_creates(world: ContractWorld, cwd: Path) -> Said:
    world.make_tables(target=None)
    return world.run(cwd, *copy("--json", "--dry-run", "--create-target"))


def copy_dry_run_refused(world: ContractWorld, cwd: Path) -> Said:
    world.make_tables(target=None)
    return world.run(cwd, *copy("--json", "--dry-run"))


def move_dry_run(world: ContractWorld, cwd: Path) -> Said:
    world.make_tables()
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    enabling = {"TableName": "orders", "StreamSpecification": stream}
    asyncio.run(world.accounts.source_tables.call("UpdateTable", enabling))
    return world.run(cwd, "move", *copy("--json", "--dry-run")[1:])


def move_dry_run_refused(world: ContractWorld, cwd: Path) -> Said:
    world.make_tables(target=None)
    return world.run(cwd, "move", *copy("--json", "--dry-run")[1:])


def copy_after_copy(world: ContractWorld, cwd: Path) -> Said:
    world.make_tables()
    return world.run(cwd, *copy("--json", "--after-copy"))


def copy_after_copy_refused(world: ContractWorld, cwd: Path) -> Said:
    world.make_tables(target=None)
    return world.run(cwd, *copy("--json", "--after-copy"))


def copy_log(world: ContractWorld, cwd: Path) -> Said:
    """The lines of the log, which are JSON as well."""
    world.make_tables(some_items(refused=[3, 77]))
    said = world.run(cwd, *copy("--log-format", "json", "--log-level", "info"))
    lines = [line for line in said.err.splitlines() if line.startswith("{")]
    return Said(said.code, "\n".join(lines), said.err)


# Status and what is asked of a run -----------------------------------------------------------


def status(name: str) -> Case:
    """The case of a recorded state."""

    def run(_: ContractWorld, cwd: Path) -> Said:
        with_state(cwd, name)
        return look(cwd, "status", *HERE, "--json")

    return run


def status_running(world: ContractWorld, cwd: Path) -> Said:
    world.make_tables()
    with held_copy(world, cwd):
        said = look(cwd, "status", *HERE, "--json")
    # Whether it is known yet depends on how fast this machine is.
    return replace(said, out=re.sub(r'"eta_seconds":[^,}]+', '"eta_seconds":null', said.out))


def status_stalled(_: ContractWorld, cwd: Path) -> Said:
    with_state(cwd, "killed")
    # As a process does that works on the run.
    with (cwd / "state" / "orders.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return look(cwd, "status", *HERE, "--json")


def runs(_: ContractWorld, cwd: Path) -> Said:
    with_state(cwd, "several")
    with_state(cwd, "killed")
    (cwd / "state" / "odd.sqlite").write_bytes(b"this is not a state file")
    return look(cwd, "runs", *HERE, "--json")


def status_none(_: ContractWorld, cwd: Path) -> Said:
    return look(cwd, "status", *HERE, "--json")


def status_damaged(_: ContractWorld, cwd: Path) -> Said:
    (cwd / "state").mkdir()
    (cwd / "state" / "orders.sqlite").write_bytes(b"x" * 4096)
    return look(cwd, "status", *HERE, "--json")


def pause(_: ContractWorld, cwd: Path) -> Said:
    with_state(cwd, "interrupted")
    return look(cwd, "pause", *HERE, "--json")


def resume(_: ContractWorld, cwd: Path) -> Said:
    with_state(cwd, "interrupted")
    return look(cwd, "resume", *HERE, "--json")


def set_caps(_: ContractWorld, cwd: Path) -> Said:
    with_state(cwd, "interrupted")
    units = ("--max-write-units", "100", "--max-read-units", "none")
    return look(cwd, "set", *units, *HERE, "--json")


def set_complete(_: ContractWorld, cwd: Path) -> Said:
    with_state(cwd, "complete")
    return look(cwd, "set", "--max-write-units", "100", *HERE, "--json")


# Verify --------------------------------------------------------------------------------------


def verify_equal(world: ContractWorld, cwd: Path) -> Said:
    world.make_tables(target=some_items())
    return world.run(cwd, *verify("--json"))


def verify_different(world: ContractWorld, cwd: Path) -> Said:
    make_different(world)
    return world.run(cwd, *verify("--json", "--show-values"))


def verify_certificate(world: ContractWorld, cwd: Path) -> Said:
    """What it certifies, in a file of its own."""
    make_different(world)
    said = world.run(cwd, *verify("--certificate", "certificate.json"))
    return Said(said.code, (cwd / "certificate.json").read_text(encoding="utf-8"), said.err)


def verify_repaired(world: ContractWorld, cwd: Path) -> Said:
    make_different(world)
    return world.run(cwd, *verify("--json", "--repair", "--delete-extra", "--yes"))


def verify_undecided(world: ContractWorld, cwd: Path) -> Said:
    world.make_tables([])
    return world.run(cwd, *verify("--json", "--sample", "50"))


def verify_interrupted(world: ContractWorld, cwd: Path) -> Said:
    world.make_tables(target=some_items())
    return interrupted(world, cwd, verify("--json"), hold=("Scan", 30))


def verify_refused(world: ContractWorld, cwd: Path) -> Said:
    world.make_tables(target=None)
    return world.run(cwd, *verify("--json"))


def verify_usage(_: ContractWorld, cwd: Path) -> Said:
    return look(cwd, "verify", "--json")


# Dead letters --------------------------------------------------------------------------------


def letters_list(_: ContractWorld, cwd: Path) -> Said:
    with_state(cwd, "rejected")
    return look(cwd, "dead-letters", "list", *HERE, "--json")


def letters_list_of_none(_: ContractWorld, cwd: Path) -> Said:
    with_state(cwd, "complete")
    return look(cwd, "dead-letters", "list", *HERE, "--json")


def letters_list_without_run(_: ContractWorld, cwd: Path) -> Said:
    return look(cwd, "dead-letters", "list", *HERE, "--json")


def letters_export(_: ContractWorld, cwd: Path) -> Said:
    with_state(cwd, "rejected")
    return look(cwd, "dead-letters", "export", *HERE)


def replay(*more: str) -> tuple[str, ...]:
    return ("dead-letters", "replay", "--target-external-id", "dynaferry-tests", *HERE, *more)


def replay_complete(world: ContractWorld, cwd: Path) -> Said:
    make_rejected(world, cwd)
    world.service.refuses = False
    return world.run(cwd, *replay("--json"))


def replay_refused_again(world: ContractWorld, cwd: Path) -> Said:
    make_rejected(world, cwd)
    return world.run(cwd, *replay("--json"))


def replay_without_target(world: ContractWorld, cwd: Path) -> Said:
    with_state(cwd, "rejected")
    return world.run(cwd, *replay("--json"))


def replay_without_run(_: ContractWorld, cwd: Path) -> Said:
    return look(cwd, *replay("--json"))


# Bench ---------------------------------------------------------------------------------------

QUICK: Final = ("--seconds", "0.5", "--yes", "--json")


def bench_write(world: ContractWorld, cwd: Path) -> Said:
    more = ("--forecast-items", "1000", "--writers", "2", *QUICK)
    return world.run(cwd, "bench", "write", *REACH_TARGET, *HERE, *more)


def bench_read(world: ContractWorld, cwd: Path) -> Said:
    world.make_tables()
    more = ("--readers", "2", *QUICK)
    return world.run(cwd, "bench", "read", "orders", *REACH_SOURCE, *HERE, *more)


def bench_refused(world: ContractWorld, cwd: Path) -> Said:
    return world.run(cwd, "bench", "read", "orders", *REACH_SOURCE, *HERE, *QUICK)


def bench_usage(_: ContractWorld, cwd: Path) -> Said:
    return look(cwd, "bench", "read", "orders", *REACH_SOURCE, "--json")


def bench_facts_usage(_: ContractWorld, cwd: Path) -> Said:
    return look(cwd, "bench", "facts", *REACH_SOURCE, "--json")


# What they begin with ------------------------------------------------------------------------


def make_rejected(world: ContractWorld, cwd: Path) -> None:
    """A copy whose target refused two items."""
    world.make_tables(some_items(refused=[3, 77]))
    world.run(cwd, *copy())


def make_different(world: ContractWorld) -> None:
    """Two items are missing, two differ, one is extra."""
    there = some_items()[2:]
    there[0], there[1] = an_item(2, "another"), an_item(3, "another")
    world.make_tables(target=[*there, an_item(5000)])


def wait_until_held(world: ContractWorld, child: subprocess.Popen[str]) -> None:
    """Returns when a request of the child waits."""
    end = time.monotonic() + SECONDS
    while not world.service.held.wait(0.1):
        if child.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"nothing was held: {ended(child)}")


def interrupted(
    world: ContractWorld, cwd: Path, typed: tuple[str, ...], *, hold: tuple[str, int]
) -> Said:
    """Runs a command that is interrupted when it has made so many requests of an operation."""
    world.service.seen.clear()
    world.service.hold = hold
    child = world.start(cwd, *typed)
    try:
        wait_until_held(world, child)
        child.send_signal(signal.SIGINT)
        _wait_until_it_stops(child)
        world.service.release()
        return ended(child)
    finally:
        child.kill()


def _wait_until_it_stops(child: subprocess.Popen[str]) -> None:
    """Returns when it says that it took note of the signal: nothing goes on before."""
    for line in child.stderr or ():
        if line.startswith("stopping: "):
            return
    raise RuntimeError(f"it never said that it stops: {ended(child)}")


@contextmanager
def held_copy(
    world: ContractWorld, cwd: Path, *more: str, after: int = 4
) -> Iterator[subprocess.Popen[str]]:
    """A copy of which so many batches are written and some are stored; it ends with the block."""
    world.service.hold = ("BatchWriteItem", after)
    child = world.start(cwd, *copy(*more))
    try:
        wait_until_held(world, child)
        end = time.monotonic() + SECONDS
        while look(cwd, "status", *HERE, "--json").document["tables"][0]["items_read"] == 0:
            if time.monotonic() > end:
                raise RuntimeError("nothing of the copy was stored")
        yield child
    finally:
        child.kill()
        world.service.release()
        child.communicate()


CASES: Final = [
    Recorded("copy-complete", copy_complete),
    Recorded("copy-already-complete", copy_already_complete),
    Recorded("copy-rejected", copy_rejected),
    Recorded("copy-interrupted", copy_interrupted),
    Recorded("copy-failed", copy_failed),
    Recorded("copy-failed-by-rejections", copy_failed_by_rejections),
    Recorded("copy-refused", copy_refused),
    Recorded("copy-refused-by-state", copy_refused_by_state),
    Recorded("copy-usage", copy_usage),
    Recorded("copy-unknown-flag", copy_unknown_flag),
    Recorded("copy-dry-run", copy_dry_run),
    Recorded("copy-dry-run-that-creates", copy_dry_run_that_creates),
    Recorded("copy-dry-run-refused", copy_dry_run_refused),
    Recorded("move-dry-run", move_dry_run),
    Recorded("move-dry-run-refused", move_dry_run_refused),
    Recorded("copy-after-copy", copy_after_copy),
    Recorded("copy-after-copy-refused", copy_after_copy_refused),
    Recorded("copy-log", copy_log, lines=True),
    Recorded("status-running", status_running),
    Recorded("status-stalled", status_stalled),
    Recorded("status-killed", status("killed")),
    Recorded("status-complete", status("complete")),
    Recorded("status-rejected", status("rejected")),
    Recorded("status-interrupted", status("interrupted")),
    Recorded("status-failed", status("failed")),
    Recorded("status-none", status_none),
    Recorded("runs", runs),
    Recorded("status-damaged", status_damaged),
    Recorded("pause", pause),
    Recorded("resume", resume),
    Recorded("set", set_caps),
    Recorded("set-complete", set_complete),
    Recorded("verify-equal", verify_equal),
    Recorded("verify-different", verify_different),
    Recorded("verify-certificate", verify_certificate),
    Recorded("verify-repaired", verify_repaired),
    Recorded("verify-undecided", verify_undecided),
    Recorded("verify-interrupted", verify_interrupted),
    Recorded("verify-refused", verify_refused),
    Recorded("verify-usage", verify_usage),
    Recorded("dead-letters-list", letters_list),
    Recorded("dead-letters-list-of-none", letters_list_of_none),
    Recorded("dead-letters-list-without-run", letters_list_without_run),
    Recorded("dead-letters-export", letters_export, lines=True),
    Recorded("dead-letters-replay-complete", replay_complete),
    Recorded("dead-letters-replay-refused-again", replay_refused_again),
    Recorded("dead-letters-replay-without-target", replay_without_target),
    Recorded("dead-letters-replay-without-run", replay_without_run),
    Recorded("bench-write", bench_write),
    Recorded("bench-read", bench_read),
    Recorded("bench-refused", bench_refused),
    Recorded("bench-usage", bench_usage),
    Recorded("bench-facts-usage", bench_facts_usage),
    *(Recorded(name, run) for name, run in move_cases(with_state).items()),
]
