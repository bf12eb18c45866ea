"""`dynaferry copy`: copies, shows progress, and sums up.

Heavy modules are imported when a copy starts, so that --help comes at once.
"""

from __future__ import annotations

import asyncio
import gc
import math
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from dynaferry.cli import descriptors, exit_codes, failure, screen
from dynaferry.cli.commands.hooks import last_words_and_hook, run_on_end
from dynaferry.cli.commands.patterns import with_tables_found
from dynaferry.cli.flags import CopyFlags, ProgressFlag, invocation_of, plan_from
from dynaferry.cli.log_setup import log_set_up
from dynaferry.errors import DynaferryError, LoopStalledError, PlanError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from dynaferry.cli.keys import RunKeys
    from dynaferry.observe.logs import LogRun
    from dynaferry.observe.monitor import RunMonitor
    from dynaferry.observe.stats import RunStats
    from dynaferry.plan.resume_command import Invocation
    from dynaferry.plan.settings import CopyPlan
    from dynaferry.preflight.inspection import TablePreflight
    from dynaferry.preflight.totals import Totals
    from dynaferry.run.copy_tables import Outcome
    from dynaferry.stop import StopSignal

    Watch = Callable[[RunStats], Awaitable[None]]
    Body = Callable[[StopSignal], Awaitable[Outcome]]


def run_copy(flags: CopyFlags, invocation: Invocation | None = None) -> int:
    """Copies, or estimates with --dry-run; returns the exit code and raises no error.

    `invocation` is how it was begun, None where the flags were typed now.
    """
    with log_set_up(flags) as log:
        code = _run_copy(flags, log, invocation or invocation_of(flags))
        return run_on_end(flags, "copy", log.name, code)


def _run_copy(flags: CopyFlags, log: LogRun, invocation: Invocation) -> int:
    try:
        plan = plan_from(flags)
        log.name = plan.run_name
        go_on = _dry_run if flags.dry_run else partial(_copy, invocation)
        return found_first(plan, flags, go_on)
    except PlanError as error:
        return failure.report(error, as_json=flags.json, run=flags.run)
    except KeyboardInterrupt:
        return failure.report_interrupt(as_json=flags.json, run=flags.run)


def found_first(
    plan: CopyPlan, flags: CopyFlags, go_on: Callable[[CopyPlan, CopyFlags], int]
) -> int:
    """Goes on with the tables that the plan's patterns match, or prints why there are none."""
    last_words = partial(failure.report, as_json=flags.json, run=plan.run_name)
    try:
        plan = with_tables_found(plan, last_words)
    except Exception as error:  # noqa: BLE001  # the edge: everything is reported, nothing raised
        return print_refusal(error, plan, flags)
    return go_on(plan, flags)


def _dry_run(plan: CopyPlan, flags: CopyFlags) -> int:
    return print_dry_run(plan, flags)


def _copy(invocation: Invocation, plan: CopyPlan, flags: CopyFlags) -> int:
    from dynaferry.cli.interrupts import run_async, run_until_stopped

    connections = (plan.readers + plan.writers) * min(plan.tables_at_once, len(plan.tables) or 1)
    descriptors.ensure(connections, watched=flags.metrics_listen is not None, say=screen.say)
    monitors: list[RunMonitor] = []
    if wants_monitor(flags):
        body = _observed(plan, flags, invocation, monitors)
    else:
        body = _alone(plan, flags, invocation)
    noted = partial(_note_stall, plan, flags)
    last_words = last_words_and_hook(noted, flags, "copy", plan.run_name)
    try:
        outcome = run_async(partial(run_until_stopped, body), last_words=last_words)
    except Exception as error:  # noqa: BLE001  # the edge: everything is reported, nothing raised
        return failure.report(error, as_json=flags.json, run=plan.run_name, under_way=True)
    code = exit_codes.of_outcome(outcome.summary.status, outcome.error)
    if flags.after_copy:
        from dynaferry.cli.commands.after_copy import verify_after
        from dynaferry.cli.commands.monitoring import still_served

        seen = [partial(still_served, flags, plan, monitor) for monitor in monitors]
        return verify_after(outcome.summary, code, plan, flags, *seen)
    if flags.json:
        screen.print_document(msgspec.json.encode(outcome.summary).decode())
    return code


def _alone(plan: CopyPlan, flags: CopyFlags, invocation: Invocation) -> Body:
    """A copy that nobody watches from outside; what is heavy is here before the loop turns."""
    from dynaferry.cli.keys import keys_of
    from dynaferry.run.copy_tables import execute

    async def body(stop: StopSignal) -> Outcome:
        keys = keys_of(plan, stop)
        watch = setting_start_aside(watcher(flags.progress, readers=plan.readers, keys=keys))
        outcome = await execute(
            plan, stop=stop, watch=watch, say=screen.say_prose, invocation=invocation
        )
        _print_outcome(outcome)
        return outcome

    return body


def _observed(
    plan: CopyPlan, flags: CopyFlags, invocation: Invocation, monitors: list[RunMonitor]
) -> Body:
    """A copy that is; its monitor is added to `monitors`, since it outlives the copy."""
    from dynaferry.cli.commands.monitoring import observed, together
    from dynaferry.cli.keys import keys_of
    from dynaferry.run.copy_tables import execute

    async def body(stop: StopSignal) -> Outcome:
        keys = keys_of(plan, stop)
        watch = setting_start_aside(watcher(flags.progress, readers=plan.readers, keys=keys))
        async with observed(flags, plan, stop, command=invocation.command) as monitor:
            monitors.append(monitor)
            watch = together(monitor.watch, watch)
            outcome = await execute(
                plan, stop=stop, watch=watch, say=screen.say_prose, invocation=invocation
            )
            monitor.ended(outcome.summary)
            # Before whatever still serves the end of it: nobody should wait for that to read it.
            _print_outcome(outcome)
            return outcome

    return body


def _note_stall(plan: CopyPlan, flags: CopyFlags, error: LoopStalledError) -> None:
    from dynaferry.run.resume import note_stall

    asyncio.run(note_stall(plan.state_dir, plan.run_name, error))
    failure.report(error, as_json=flags.json, run=plan.run_name)


def _print_outcome(outcome: Outcome) -> None:
    from dynaferry.cli.commands.copy_text import summary_lines

    if outcome.error is not None:
        failure.print_error(outcome.error)
    elif outcome.summary.status == "interrupted" and not _has_begun(outcome):
        screen.say(failure.NOTHING_COPIED)
    if _has_begun(outcome):
        if screen.says_events():
            _print_events(outcome)
            return
        for line in summary_lines(outcome.summary, width=screen.width()):
            screen.say(line)


def _print_events(outcome: Outcome) -> None:
    from dynaferry.cli.commands.copy_events import summary_events

    for message, fields in summary_events(outcome.summary):
        screen.say_event(message, fields)


def _has_begun(outcome: Outcome) -> bool:
    return any(table.segments_total for table in outcome.summary.tables)


def setting_start_aside(watch: Watch | None) -> Watch:
    """The watch, which first takes what was made so far out of the garbage collector's rounds.

    It begins when the copy does. Service models and modules stay to the end: going through them
    again and again costs 4% of a copy's CPU time; a last round before costs 0.05 s and frees less
    than a megabyte (benchmarks/README.md).
    """

    async def begin(stats: RunStats) -> None:
        gc.freeze()
        if watch is not None:
            await watch(stats)

    return begin


def watcher(progress: ProgressFlag, *, readers: int, keys: RunKeys | None = None) -> Watch | None:
    """The progress display that suits stderr: redrawn in place on a terminal, events in a log in
    JSON, else lines. On a terminal that somebody types at, `keys` do what they are for.
    """
    from dynaferry.observe.progress import watch_plain

    if progress is ProgressFlag.NONE:
        return None
    if progress is ProgressFlag.AUTO and screen.is_live_terminal():
        return _live(readers, keys)
    if screen.says_events():
        from dynaferry.observe.progress_events import watch_events

        return partial(watch_events, readers=readers, write=screen.say_event)
    return partial(watch_plain, readers=readers, write=screen.say)


def _live(readers: int, keys: RunKeys | None) -> Watch:
    from rich.console import Console

    from dynaferry.cli.keyboard import Keyboard
    from dynaferry.cli.keys import KEYS_IN_WORDS
    from dynaferry.observe.terminal import watch_live

    keyboard = Keyboard()
    live = partial(watch_live, readers=readers, console=Console(stderr=True))
    if keys is None or not keyboard.is_there:
        return live
    return partial(keys.beside, keyboard, partial(live, keys_in_words=KEYS_IN_WORDS))


def print_dry_run(
    plan: CopyPlan,
    flags: CopyFlags,
    more: Callable[[Sequence[TablePreflight]], list[str]] = lambda _: [],
) -> int:
    """Looks, prints the estimate and `more` lines, and returns the exit code."""
    from dynaferry.cli.interrupts import run_async
    from dynaferry.preflight.lines import dry_run_lines, seen_tables
    from dynaferry.preflight.totals import totals_of
    from dynaferry.run.copy_tables import dry_run

    async def body() -> tuple[TablePreflight, ...]:
        return await dry_run(plan, say=screen.say)

    try:
        last_words = partial(failure.report, as_json=flags.json, run=plan.run_name)
        preflights = run_async(body, last_words=last_words)
    except Exception as error:  # noqa: BLE001  # the edge: everything is reported, nothing raised
        return print_refusal(error, plan, flags)
    totals = totals_of(plan, [preflight.estimate for preflight in preflights])
    lines = dry_run_lines(seen_tables(preflights), totals, width=screen.width())
    for line in [*more(preflights), *lines]:
        screen.say(line)
    if flags.json:
        document = dry_run_document(plan, [estimate_document(each) for each in preflights], totals)
        screen.print_document(msgspec.json.encode(document).decode())
    return exit_codes.COMPLETE


def print_refusal(error: Exception, plan: CopyPlan, flags: CopyFlags) -> int:
    """Prints a failed inspection as a refusal, whatever the service's reason; returns the code."""
    failure.print_error(error)
    screen.say("not ready: nothing was written")
    reason = failure.sole_reason(error)
    code = exit_codes.of_error(reason)
    if isinstance(reason, DynaferryError) and not isinstance(reason, PlanError):
        code = exit_codes.REFUSED
    if flags.json:
        failure.print_refusal(code, failure.summarize(error), plan.run_name)
    return code


def dry_run_document(
    plan: CopyPlan, tables: Sequence[dict[str, Any]], totals: Totals
) -> dict[str, Any]:
    """The `--json` document of a dry run of these tables."""
    return {
        "run": plan.run_name,
        "dry_run": True,
        "tables": tables,
        # Its seconds are null where a table would never be done.
        "total": totals,
        "ready": totals.seconds < math.inf,
    }


def estimate_document(preflight: TablePreflight) -> dict[str, Any]:
    """One table of the `--json` document of a dry run."""
    from dynaferry.preflight.notice import texts

    estimate = preflight.estimate
    return {
        "source": preflight.table.source_name,
        "target": preflight.table.target_name,
        "creates_target": preflight.target is None,
        "items": estimate.items,
        "bytes": estimate.bytes,
        "segments_total": preflight.total_segments,
        "read_units": estimate.read_units,
        "write_units": estimate.write_units,
        "replicated_write_units": estimate.replicated_write_units,
        "read_units_per_second": estimate.read_units_per_second,
        "write_units_per_second": estimate.write_units_per_second,
        # Without an end, where a table has no units at all, it is null.
        "seconds": estimate.seconds,
        "read_cost": estimate.read_cost,
        "write_cost": estimate.write_cost,
        "prices": estimate.prices,
        "notices": texts(preflight.notices),
        "warnings": texts(notice for notice in preflight.notices if notice.weight == "warning"),
        "bottleneck": estimate.bottleneck.reason,
        "source_arn": preflight.source.arn,
        "target_arn": None if preflight.target is None else preflight.target.arn,
    }


def wants_monitor(flags: CopyFlags) -> bool:
    """Whether metrics are served, pushed or written, so that a `RunMonitor` is needed.

    :raises PlanError: a flag is for those who watch, and nothing is watched
    """
    watched = any((flags.metrics_listen, flags.metrics_push, flags.metrics_textfile))
    if flags.finish_by is not None and not watched:
        raise PlanError(
            "--finish-by is for an alert, and no metrics are asked for",
            hint="add --metrics-listen, --metrics-push or --metrics-textfile",
        )
    if flags.allow_control and flags.metrics_listen is None:
        raise PlanError(
            "--allow-control needs --metrics-listen: it is the live page that controls the run",
            hint="dynaferry pause, resume and set do the same from the command line",
        )
    return watched
