"""Commands of the caller's: to stop writers, to start them, and what is run at the end."""

import os
import subprocess
from collections.abc import Mapping
from typing import Final

from dynaferry.cli import exit_codes, screen
from dynaferry.cli.flags import CopyFlags
from dynaferry.cli.watchdog import LastWords
from dynaferry.errors import LoopStalledError

ON_END: Final = "--on-end"
_STATUS: Final = {
    exit_codes.COMPLETE: "complete",
    exit_codes.USAGE: "refused",
    exit_codes.REFUSED: "refused",
    exit_codes.REJECTED: "rejected",
    exit_codes.DIFFERENT: "different",
    exit_codes.INTERRUPTED: "interrupted",
}


def hook_failed(command: str, flag: str, more: Mapping[str, str] | None = None) -> bool:
    """Runs a command of the caller's, with `more` variables; says and returns whether it failed.

    Its text is not said: it may hold a secret.
    """
    screen.say(f"running the command of {flag}")
    environment = None if more is None else os.environ | more
    # What it prints is for people: stdout is the document's.
    done = subprocess.run(command, shell=True, stdout=2, check=False, env=environment)  # noqa: S602  # it is theirs
    if done.returncode:
        screen.say(f"the command of {flag} ended with {done.returncode}")
    return done.returncode != 0


def run_on_end(flags: CopyFlags, what: str, run: str | None, code: int) -> int:
    """Runs the command of --on-end, which learns how it ended; returns the code as it is.

    A dry run ends nothing. The command of one that fails changes nothing of what was done.
    """
    if flags.on_end is not None and not flags.dry_run:
        told = {
            "COMMAND": what,
            "RUN": run or "",
            "STATUS": _STATUS.get(code, "failed"),
            "EXIT_CODE": str(code),
        }
        hook_failed(flags.on_end, ON_END, {f"DYNAFERRY_ENDED_{key}": told[key] for key in told})
    return code


def last_words_and_hook(last_words: LastWords, flags: CopyFlags, what: str, run: str) -> LastWords:
    """The last words of a process that hangs, with the command of --on-end behind them."""

    def say_and_run(error: LoopStalledError) -> None:
        last_words(error)
        run_on_end(flags, what, run, exit_codes.FAILED)

    return say_and_run
