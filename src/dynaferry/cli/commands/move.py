"""`dynaferry move`: copies, follows, shows how far behind the target is."""

from __future__ import annotations

import sys
import time
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from dynaferry.cli import descriptors, exit_codes, failure, screen
from dynaferry.cli.commands.copy import (
    found_first,
    print_dry_run,
    print_refusal,
    setting_start_aside,
    wants_monitor,
    watcher,
)
from dynaferry.cli.commands.hooks import last_words_and_hook, run_on_end
from dynaferry.cli.flags import (
    CopyFlags,
    MoveFlags,
    ProgressFlag,
    invocation_of,
    move_plan_from,
)
from dynaferry.cli.log_setup import log_set_up
from dynaferry.cli.question import Questions
from dynaferry.errors import PlanError
from dynaferry.plan.resume_command import Invocation, resume_lines

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from dynaferry.follow.move_tables import Show
    from dynaferry.follow.preparation import Agree
    from dynaferry.observe.logs import LogRun
    from dynaferry.observe.move_status import MoveState, MoveStatus
    from dynaferry.plan.settings import CopyPlan
    from dynaferry.run.outcome import Outcome
    from dynaferry.stop import StopSignal

    Body = Callable[[StopSignal], Awaitable[Outcome]]

LINE_SECONDS = 5.0


def run_move(flags: MoveFlags, invocation: Invocation | None = None) -> int:
    """Does what the flags say and returns the exit code; every error is told, none is raised.

    `invocation` is how it was begun, None where the flags were typed now.
    """
    typed = flags.copy
    with log_set_up(typed) as log:
        code = _run_move(flags, log, invocation or invocation_of(flags))
        return run_on_end(typed, "move", log.name, code)


def _run_move(flags: MoveFlags, log: LogRun, invocation: Invocation) -> int:
    typed = flags.copy
    try:
        plan = move_plan_from(flags)
        log.name = plan.run_name
        go_on = _dry_run if typed.dry_run else partial(_move, invocation)
        return found_first(plan, typed, lambda found, _: go_on(found, flags))
    except PlanError as error:
        return failure.report(error, as_json=typed.json, run=typed.run)
    except KeyboardInterrupt:
        return failure.report_interrupt(as_json=typed.json, run=typed.run)


def _move(invocation: Invocation, plan: CopyPlan, flags: MoveFlags) -> int:
    from dynaferry.cli.interrupts import run_async, run_until_stopped

    typed = flags.copy
    connections = (plan.readers + plan.writers) * 2 * (len(plan.tables) or 1)
    descriptors.ensure(connections, watched=typed.metrics_listen is not None, say=screen.say)
    make_body = _observed if wants_monitor(typed) else _alone
    body = make_body(plan, flags, invocation)
    report = partial(failure.report, as_json=typed.json, run=plan.run_name)
    last_words = last_words_and_hook(report, typed, "move", plan.run_name)
    try:
        outcome = run_async(partial(run_until_stopped, body), last_words=last_words)
    except Exception as error:  # noqa: BLE001  # the edge: everything is told, nothing is raised
        return failure.report(error, as_json=typed.json, run=plan.run_name, under_way=True)
    if outcome.error is not None:
        failure.print_error(outcome.error)
    elif outcome.summary.status == "interrupted":
        screen.say("interrupted: the source is as it was")
        for line in resume_lines(invocation.command, here=invocation.command.directory):
            screen.say(line)
    if typed.json:
        screen.print_document(msgspec.json.encode(outcome.summary).decode())
    return exit_codes.of_outcome(outcome.summary.status, outcome.error)


def _alone(plan: CopyPlan, flags: MoveFlags, invocation: Invocation) -> Body:
    """A move that nobody watches from outside."""
    from dynaferry.cli.keys import keys_of
    from dynaferry.follow.move_tables import execute

    async def body(stop: StopSignal) -> Outcome:
        typed, keys = flags.copy, keys_of(plan, stop)
        watch = watcher(typed.progress, readers=plan.readers, keys=keys)
        return await execute(
            plan,
            stop=stop,
            watch=setting_start_aside(watch),
            show=_shown(typed),
            say=screen.say,
            agree=_agree(flags),
            goes_forward=flags.forward,
            invocation=invocation,
        )

    return body


def _observed(plan: CopyPlan, flags: MoveFlags, invocation: Invocation) -> Body:
    """A move that is, from its first second to its last."""
    from dynaferry.cli.commands.monitoring import observed, together
    from dynaferry.cli.keys import keys_of
    from dynaferry.follow.move_tables import execute

    async def body(stop: StopSignal) -> Outcome:
        typed, keys = flags.copy, keys_of(plan, stop)
        watch = setting_start_aside(watcher(typed.progress, readers=plan.readers, keys=keys))
        command = invocation.command
        async with observed(typed, plan, stop, is_moved=True, command=command) as monitor:
            outcome = await execute(
                plan,
                stop=stop,
                watch=together(monitor.watch, watch),
                watch_following=monitor.watch,
                show=_shown(typed, monitor.note_move),
                say=screen.say,
                agree=_agree(flags),
                goes_forward=flags.forward,
                invocation=invocation,
            )
            monitor.ended(outcome.summary)
            return outcome

    return body


def _shown(typed: CopyFlags, *more: Show) -> Show:
    """Shows how the move stands on stderr, unless nothing is to be shown there, and elsewhere."""
    shows = list(more)
    if typed.progress is not ProgressFlag.NONE:
        shows.append(_Lines().show)

    def show(tables: Sequence[MoveStatus]) -> None:
        for each in shows:
            each(tables)

    return show


def _agree(flags: MoveFlags) -> Agree | None:
    return None if flags.yes else partial(_agreed, Questions())


async def _agreed(questions: Questions, lines: Sequence[str]) -> bool:
    if not sys.stdin.isatty():
        raise PlanError(
            "nobody can be asked whether to enable a stream: this is no terminal",
            hint="add --yes, or leave --enable-stream out and let whoever may enable it do so",
        )
    return await questions.agreed(*lines)


def _dry_run(plan: CopyPlan, flags: MoveFlags) -> int:
    if plan.without_stream:
        from dynaferry.cli.commands.move_text import first_outage_lines

        return print_dry_run(plan, flags.copy, first_outage_lines)
    from dynaferry.cli.commands.move_text import move_document, move_lines
    from dynaferry.cli.interrupts import run_async
    from dynaferry.follow.dry_run import dry_run

    typed = flags.copy
    last_words = partial(failure.report, as_json=typed.json, run=plan.run_name)
    try:
        estimates = run_async(partial(dry_run, plan, say=screen.say), last_words=last_words)
    except Exception as error:  # noqa: BLE001  # the edge: everything is told, nothing is raised
        return print_refusal(error, plan, typed)
    for line in move_lines(plan, estimates, width=screen.width()):
        screen.say(line)
    if typed.json:
        screen.print_document(msgspec.json.encode(move_document(plan, estimates)).decode())
    return exit_codes.COMPLETE


class _Lines:
    """A line for each table every few seconds, and at once when its state changes."""

    def __init__(self) -> None:
        self._states: dict[str, MoveState] = {}
        self._said_at = 0.0

    def show(self, tables: Sequence[MoveStatus]) -> None:
        """Is told how the tables stand."""
        from dynaferry.observe.move_words import line_of
        from dynaferry.observe.progress_events import fields_of_move

        now = time.monotonic()
        states = {table.source: table.state for table in tables}
        if states == self._states and now - self._said_at < LINE_SECONDS:
            return
        if set(states.values()) <= {"capturing", "copying"}:
            self._states = states
            return  # the copy's own lines say how far it is
        self._states, self._said_at = states, now
        for table in tables:
            screen.say_event(line_of(table), fields_of_move(table))
