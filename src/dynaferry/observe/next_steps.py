"""The next steps after a run: what is left to do, each with the commands as they are typed. Pure.

The summary of a copy, its `--json`, the live page and the report say the same by this.
"""

import shlex
from collections.abc import Iterator, Sequence
from typing import Final, Literal

from msgspec import Struct

from dynaferry.observe.formatting import plural, wrapped
from dynaferry.observe.summary import NextStep, TableSummary
from dynaferry.shared.arn import arn_region
from dynaferry.shared.left_to_do import LeftToDo

# A run in one of these states goes on by the same command.
_UNFINISHED: Final = ("interrupted", "failed", "waiting", "killed")
_COPIED: Final = ("complete", "rejected")
_MANY: Final = 3


class Commands(Struct, frozen=True, kw_only=True):
    """The commands of this run that only who began it can know; None where nobody does.

    What lacks something has to have it added, since it is not kept. `restarts` says that what was
    typed holds --restart. `state_dir` is None where it is the default.
    """

    resume: str | None = None
    resume_lacks: str | None = None
    verify: str | None = None
    verify_lacks: str | None = None
    state_dir: str | None = None
    restarts: bool = False


NO_COMMANDS: Final = Commands()


def next_steps(
    run: str,
    tables: Sequence[TableSummary],
    left: Sequence[LeftToDo] = (),
    commands: Commands = NO_COMMANDS,
) -> tuple[NextStep, ...]:
    """The steps that a run of these tables leaves, in the order in which they are best done.

    What a copy does not carry over is told of the tables that are copied.
    """
    copied = {(table.source, table.target) for table in tables if table.status in _COPIED}
    done = [each for each in left if (each.source, each.target) in copied]
    return (
        *_resume(tables, commands),
        *_dead_letters(run, tables, commands),
        *_verify(tables, commands),
        *_recovery(done),
        *_streams(done),
        *_replicas(done),
        *_time_to_live(done),
    )


def step_lines(steps: Sequence[NextStep], *, width: int | None = None) -> list[str]:
    """The steps for people: a heading, then each with its commands, one a line to be copied.

    Without a `width` nothing is wrapped.
    """
    if not steps:
        return []
    lines = ["next steps"]
    for number, step in enumerate(steps, 1):
        text = f"  {number}. {step.text}{':' if step.commands else ''}"
        lines += wrapped(text, width, indent=5)
        lines += [f"       {command}" for command in step.commands]
    return lines


def _resume(tables: Sequence[TableSummary], commands: Commands) -> Iterator[NextStep]:
    unfinished = [table.source for table in tables if table.status in _UNFINISHED]
    if not unfinished:
        return
    what = "" if len(tables) == 1 else f" {_named(unfinished)}"
    if commands.resume is None:
        same = "without --restart" if commands.restarts else "again"
        yield _step("resume", unfinished, f"the same command {same} resumes{what}")
    else:
        lacks = "" if commands.resume_lacks is None else f", {commands.resume_lacks}"
        yield _step("resume", unfinished, f"resume{what}{lacks}", commands.resume)


def _dead_letters(
    run: str, tables: Sequence[TableSummary], commands: Commands
) -> Iterator[NextStep]:
    rejecting = [table for table in tables if table.items_rejected]
    if not rejecting:
        return
    rejected = sum(table.items_rejected for table in rejecting)
    where = f"{shlex.quote(run)}{_state_dir(commands)}"
    yield _step(
        "dead-letters",
        [table.source for table in rejecting],
        f"see why {plural(rejected, 'item')} {'was' if rejected == 1 else 'were'} rejected (kept "
        "as dead letters), fix the cause, write again",
        f"dynaferry dead-letters list {where}",
        f"dynaferry dead-letters replay {where}",
    )


def _verify(tables: Sequence[TableSummary], commands: Commands) -> Iterator[NextStep]:
    copied = [table for table in tables if table.status in _COPIED]
    if len(copied) < len(tables) or not copied:
        return
    of_one = f"dynaferry verify {shlex.quote(copied[0].source)} {shlex.quote(copied[0].target)}"
    if commands.verify is not None:
        typed: tuple[str, ...] = (commands.verify,)
    else:
        typed = (of_one,) if len(copied) == 1 else ()
    what = "both tables" if len(copied) == 1 else "all tables"
    names = [table.source for table in copied]
    lacks = "" if commands.verify_lacks is None else f" ({commands.verify_lacks})"
    yield _step("verify", names, f"compare {what}, once nobody writes to the source{lacks}", *typed)


def _recovery(left: Sequence[LeftToDo]) -> Iterator[NextStep]:
    lacking = [each for each in left if each.point_in_time_recovery]
    if lacking:
        yield _of_targets(
            "point-in-time-recovery",
            lacking,
            "enable point-in-time recovery, which the source has",
            [
                _aws(
                    each,
                    "update-continuous-backups",
                    "--point-in-time-recovery-specification",
                    "PointInTimeRecoveryEnabled=true",
                )
                for each in lacking
            ],
        )


def _streams(left: Sequence[LeftToDo]) -> Iterator[NextStep]:
    having = [each for each in left if each.has_stream_readers or each.stream_view is not None]
    if not having:
        return
    lacking = [each for each in having if each.stream_view is not None]
    enable = "enable the stream, and " if lacking else ""
    yield _of_targets(
        "stream",
        having,
        f"{enable}attach to the target's stream what reads the source's (Lambda, pipes)",
        [
            _aws(
                each,
                "update-table",
                "--stream-specification",
                f"StreamEnabled=true,StreamViewType={each.stream_view}",
            )
            for each in lacking
        ],
    )


def _replicas(left: Sequence[LeftToDo]) -> Iterator[NextStep]:
    lacking = [each for each in left if each.replica_regions]
    if lacking:
        yield _of_targets(
            "replicas",
            lacking,
            "add the replicas that the source has",
            [
                _aws(each, "update-table", "--replica-updates", f"Create={{RegionName={region}}}")
                for each in lacking
                for region in each.replica_regions
            ],
        )


def _time_to_live(left: Sequence[LeftToDo]) -> Iterator[NextStep]:
    expiring = [each for each in left if each.ttl_attribute is not None]
    if expiring:
        yield _of_targets(
            "time-to-live",
            expiring,
            "enable time to live after the cut-over (it deletes expired items at once)",
            [
                _aws(
                    each,
                    "update-time-to-live",
                    "--time-to-live-specification",
                    f"Enabled=true,AttributeName={each.ttl_attribute}",
                )
                for each in expiring
            ],
        )


StepKind = Literal[
    "resume",
    "dead-letters",
    "verify",
    "point-in-time-recovery",
    "stream",
    "replicas",
    "time-to-live",
]


def _of_targets(
    step: StepKind, left: Sequence[LeftToDo], what: str, commands: Sequence[str]
) -> NextStep:
    names = [each.target for each in left]
    return _step(step, names, f"{_named(names)}: {what}", *commands)


def _step(step: StepKind, tables: Sequence[str], text: str, *commands: str) -> NextStep:
    return NextStep(step=step, text=text, tables=tuple(tables), commands=commands)


def _aws(left: LeftToDo, operation: str, *rest: str) -> str:
    """The call as it is typed with the target account's credentials."""
    words = ["aws", "dynamodb", operation, "--table-name", left.target]
    region = arn_region(left.target_arn or "")
    if region is not None:
        words += ["--region", region]
    return shlex.join([*words, *rest])


def _state_dir(commands: Commands) -> str:
    return "" if commands.state_dir is None else f" --state-dir {shlex.quote(commands.state_dir)}"


def _named(names: Sequence[str]) -> str:
    """The tables by name, or how many there are."""
    return ", ".join(names) if len(names) <= _MANY else f"{len(names)} tables"
