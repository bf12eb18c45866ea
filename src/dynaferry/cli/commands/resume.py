"""`dynaferry resume`: ends a pause, and starts a run that has stopped by the command that began it.

It is started where nothing is missing: what may be a secret is not kept with the command, and has
to be in the environment, as the credentials.
"""

import contextlib
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from dynaferry.cli import failure, screen
from dynaferry.cli.commands.control import Asked, run_change
from dynaferry.cli.flags import CopyFlags, MoveFlags, flags_of
from dynaferry.errors import PlanError, StateError
from dynaferry.plan.resume_command import (
    Invocation,
    RecordedCommand,
    is_option,
    resume_line,
    variable_of,
)
from dynaferry.state.records import ControlsChange


def run_resume(
    run: str | None,
    state_dir: Path,
    *,
    tables: Sequence[str] = (),
    start: bool = True,
    as_json: bool = False,
) -> int:
    """Ends a pause, and starts the run where it has stopped; returns the exit code.

    Neither where one table is named nor where a document is wanted anything is started.
    """
    starts = start and not tables and not as_json
    return run_change(
        run,
        state_dir,
        ControlsChange(paused=False),
        tables=tables,
        as_json=as_json,
        then=partial(_started, state_dir) if starts else lambda _: None,
    )


def _started(state_dir: Path, asked: Asked) -> int | None:
    """Starts what may be started, and returns its exit code; None where nothing is."""
    command, run = asked.command, asked.request.run
    if command is None or not asked.may_be_begun:
        return None
    with contextlib.ExitStack() as stack:
        try:
            if not _is_whole(command):
                return None
            screen.say(f"starting {run}: {resume_line(command)}")
            flags = _located(flags_of(command), command, state_dir.absolute(), run)
            stack.enter_context(contextlib.chdir(command.directory))
        except PlanError as error:
            return failure.report(error, as_json=False, run=run)
        except OSError as error:
            return failure.report(_not_entered(command, error), as_json=False, run=run)
        return _run(flags, Invocation(command, typed_now=False))


def _not_entered(command: RecordedCommand, error: OSError) -> StateError:
    return StateError(
        f"the directory {command.directory} of the run cannot be entered: {error.strerror}",
        hint="resume it as a user that may, or type its command where its files are",
    )


def _is_whole(command: RecordedCommand) -> bool:
    """Whether all that it needs is here: its directory, and what was left out of it."""
    if not command.directory or not Path(command.directory).is_dir():
        return False
    return all(variable_of(option) in os.environ for option in command.left_out)


def _located(
    flags: CopyFlags | MoveFlags, command: RecordedCommand, state_dir: Path, run: str
) -> CopyFlags | MoveFlags:
    """The flags with what was left out, for this run in this state directory."""
    of_copy = flags.copy if isinstance(flags, MoveFlags) else flags
    options = filter(is_option, command.left_out)
    names = {option.removeprefix("--").replace("-", "_"): option for option in options}
    secrets = {name: os.environ[variable_of(option)] for name, option in names.items()}
    of_copy = replace(of_copy, state_dir=state_dir, run=run, **secrets)
    return replace(flags, copy=of_copy) if isinstance(flags, MoveFlags) else of_copy


def _run(flags: CopyFlags | MoveFlags, invocation: Invocation) -> int:
    if isinstance(flags, MoveFlags):
        from dynaferry.cli.commands.move import run_move

        return run_move(flags, invocation)
    from dynaferry.cli.commands.copy import run_copy

    return run_copy(flags, invocation)
