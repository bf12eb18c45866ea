"""Errors as they are printed: what happened and where, then what to do now.

A traceback is only for who asks for it, by an environment variable.
"""

import os
import traceback

import msgspec

from dynaferry.cli import exit_codes, screen
from dynaferry.errors import DynaferryError, encodable
from dynaferry.observe.summary import ErrorSummary, RunSummary
from dynaferry.shared.problems import problem_lines

TRACEBACK_VARIABLE = "DYNAFERRY_TRACEBACK"
NOTHING_COPIED = "interrupted before anything was copied"


def summarize(error: Exception) -> ErrorSummary:
    """The error as `--json` prints it."""
    error = sole_reason(error)
    if isinstance(error, DynaferryError):
        return ErrorSummary(type=type(error).__name__, message=error.message, hint=error.hint)
    return ErrorSummary(
        type="InternalError",
        message=f"internal error: {type(error).__name__}: {error}",
        hint="this is a bug in dynaferry: please report it, with what the same command prints"
        f" when {TRACEBACK_VARIABLE}=1 is set",
    )


def sole_reason(error: Exception) -> Exception:
    """The error itself where a group, as a task group raises it, holds no other."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def wants_traceback() -> bool:
    """Whether the environment asks for all that is known of an error."""
    return os.environ.get(TRACEBACK_VARIABLE) == "1"


def print_error(error: Exception) -> None:
    """Prints the error and its hint on stderr."""
    if wants_traceback():
        # Each line is marked, so that none of the words in it can pass for a line of its own.
        for line in "".join(traceback.format_exception(error)).splitlines():
            screen.say(f"| {line}")
    reason = sole_reason(error)
    is_ours = isinstance(reason, DynaferryError)
    summary = summarize(error)
    event = {"event": "error", "error": summary.type, "hint": summary.hint}
    several = problem_lines(reason) if isinstance(reason, DynaferryError) else []
    if several:
        screen.say_event(several[0], event)
        for line in several[1:]:
            screen.say(line)
        return
    screen.say_event(f"error: {summary.message}" if is_ours else summary.message, event)
    if summary.hint is not None:
        screen.say(f"hint: {summary.hint}")


def report(
    error: Exception, *, as_json: bool, run: str | None = None, under_way: bool = False
) -> int:
    """Prints the error on stderr, and as JSON on stdout with `as_json`; returns the exit code."""
    print_error(error)
    code = exit_codes.of_error(sole_reason(error), under_way=under_way)
    if as_json:
        print_refusal(code, summarize(error), run)
    return code


def report_interrupt(*, as_json: bool, run: str | None = None) -> int:
    """Prints that a signal came before there was anything to finish; returns the exit code."""
    screen.say(NOTHING_COPIED)
    if as_json:
        print_refusal(exit_codes.INTERRUPTED, None, run)
    return exit_codes.INTERRUPTED


def print_refusal(code: int, error: ErrorSummary | None, run: str | None) -> None:
    """Prints the JSON document of a command that has no run to sum up."""
    name = None if run is None else encodable(run)
    summary = RunSummary(run=name, status=exit_codes.status_of(code), error=error, tables=())
    screen.print_document(msgspec.json.encode(summary).decode())
