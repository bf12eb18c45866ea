"""`dynaferry plan`: writes a plan file for the tables that a pattern matches."""

from __future__ import annotations

import shlex
from functools import partial
from typing import TYPE_CHECKING

from dynaferry.cli import exit_codes, failure, screen
from dynaferry.cli.commands.copy import print_refusal
from dynaferry.cli.flags import CopyFlags, plan_from
from dynaferry.errors import PlanError
from dynaferry.shared.files import refusals_raised, replacing
from dynaferry.shared.printable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dynaferry.plan.settings import CopyPlan


def run_plan(flags: CopyFlags, output: Path | None) -> int:
    """Writes the plan file and returns the exit code; every error is reported, none raised."""
    try:
        plan = plan_from(flags)
        return _write(plan, flags, output)
    except PlanError as error:
        return failure.report(error, as_json=False)
    except KeyboardInterrupt:
        screen.say("interrupted, nothing was written")
        return exit_codes.INTERRUPTED


def _write(plan: CopyPlan, flags: CopyFlags, output: Path | None) -> int:
    from dynaferry.cli.interrupts import run_async
    from dynaferry.run.written_plan import written_plan

    last_words = partial(failure.report, as_json=False)
    try:
        lines = run_async(
            partial(written_plan, plan, _typed(flags), say=screen.say), last_words=last_words
        )
    except Exception as error:  # noqa: BLE001  # the edge: everything is reported, nothing raised
        return print_refusal(error, plan, flags)
    if output is None:
        screen.print_lines(lines)
    else:
        _write_file(output, lines)
    return exit_codes.COMPLETE


def _write_file(output: Path, lines: Sequence[str]) -> None:
    text = "".join(f"{printable(line)}\n" for line in lines)
    with (
        refusals_raised(f"the file {output}", hint="name another with -o"),
        replacing(output, private=False) as file,
    ):
        file.write(text.encode())
    screen.say(f"written to {output}")


def _typed(flags: CopyFlags) -> str:
    """What was typed of the tables; accounts stand in the file itself."""
    words = ["dynaferry", "plan", flags.source or ""]
    if flags.target is not None:
        words.append(flags.target)
    for pattern in flags.exclude or ():
        words += ["--exclude", pattern]
    return shlex.join(words)
