"""`dynaferry demo`: a move between two accounts on this machine, checked item by item."""

import shutil
import tempfile
from functools import partial
from pathlib import Path

from dynaferry.cli import exit_codes, failure, screen
from dynaferry.cli.commands.copy import watcher
from dynaferry.cli.commands.copy_text import equation
from dynaferry.cli.flags import ProgressFlag
from dynaferry.cli.interrupts import run_async, run_until_stopped
from dynaferry.demo.accounts import only_this_machine
from dynaferry.demo.server_process import require_moto
from dynaferry.errors import DynaferryError, LoopStalledError


def run_demo(count: int, *, keep: bool) -> int:
    """Runs the demo and returns the exit code: 0 only when both tables hold what they should."""
    try:
        require_moto()
    except DynaferryError as error:
        return failure.report(error, as_json=False)
    directory = Path(tempfile.mkdtemp(prefix="dynaferry-demo-"))
    try:
        with only_this_machine(directory):
            return _run_in(directory, count, keep=keep)
    except KeyboardInterrupt:
        screen.say("interrupted")
        return exit_codes.INTERRUPTED
    except Exception as error:  # noqa: BLE001  # the edge: everything is reported, nothing raised
        return failure.report(error, as_json=False)
    finally:
        _clean_up(directory, keep=keep)


def _run_in(directory: Path, count: int, *, keep: bool) -> int:
    from dynaferry.demo.accounts import READERS
    from dynaferry.demo.show import REAL_ACCOUNTS, show

    def last_words(error: LoopStalledError) -> None:
        failure.print_error(error)
        _clean_up(directory, keep=keep)

    outcome, equal = run_async(
        partial(
            show,
            count,
            directory,
            say=screen.say,
            watch=watcher(ProgressFlag.AUTO, readers=READERS),
            until_stopped=run_until_stopped,
        ),
        last_words=last_words,
    )
    if outcome.error is not None:
        failure.print_error(outcome.error)
    if equal is None:
        return exit_codes.of_outcome(outcome.summary.status, outcome.error)
    if not equal:
        screen.say("error: the tables are not equal")
        screen.say("hint: this is a bug: please report it, with all of the above")
        return exit_codes.DIFFERENT
    for table in outcome.summary.tables:
        screen.say(f"   the copy: {equation(table)}, in {table.seconds:.1f} s")
    screen.say("every item is there as it was last written, through a switch and its way back")
    screen.say("")
    for line in REAL_ACCOUNTS.splitlines():
        screen.say(line)
    return exit_codes.COMPLETE


def _clean_up(directory: Path, *, keep: bool) -> None:
    if keep:
        screen.say(f"the state is kept: dynaferry status --state-dir {directory / 'state'}")
    else:
        shutil.rmtree(directory, ignore_errors=True)
