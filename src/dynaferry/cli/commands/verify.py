"""`dynaferry verify`: compares, shows progress, asks before it repairs, and prints what differs."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from dynaferry.cli import descriptors, exit_codes, failure, screen
from dynaferry.cli.commands.hooks import last_words_and_hook, run_on_end
from dynaferry.cli.commands.patterns import with_tables_found
from dynaferry.cli.commands.verify_text import repair_lines, verify_lines
from dynaferry.cli.flags import ProgressFlag
from dynaferry.cli.log_setup import log_set_up
from dynaferry.cli.question import Questions
from dynaferry.cli.verify_flags import VerifyFlags, verify_plan_from
from dynaferry.errors import PlanError
from dynaferry.observe import formatting
from dynaferry.verify.state.records import ENDED

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from dynaferry.cli.watchdog import LastWords
    from dynaferry.observe.logs import LogRun
    from dynaferry.run.lifecycle import Watch
    from dynaferry.stop import StopSignal
    from dynaferry.verify.compare.repair import RepairPlan
    from dynaferry.verify.settings import VerifyPlan
    from dynaferry.verify.stats import ComparisonRunStats
    from dynaferry.verify.summary import VerifyOutcome

    Around = Callable[[], AbstractAsyncContextManager[None]]

NOTHING_COMPARED = "interrupted before anything was compared"


def run_verify(flags: VerifyFlags) -> int:
    """Verifies and returns the exit code; every error is reported, none raised."""
    with log_set_up(flags.copy) as log:
        code = _run_verify(flags, log)
        return run_on_end(flags.copy, "verify", log.name, code)


def _run_verify(flags: VerifyFlags, log: LogRun) -> int:
    try:
        plan = verify_plan_from(flags)
        log.name = plan.copy.run_name
        _check_that_it_can_ask(plan, asks=not flags.yes)
        run = plan.copy.run_name
        report = partial(failure.report, as_json=flags.json, run=run)
        plan = msgspec.structs.replace(plan, copy=with_tables_found(plan.copy, report))
        descriptors.ensure(4 * plan.copy.readers, watched=False, say=screen.say)
        outcome = verify_and_print(
            plan,
            flags.progress,
            asks=not flags.yes,
            last_words=last_words_and_hook(report, flags.copy, "verify", run),
        )
    except PlanError as error:
        return failure.report(error, as_json=flags.json, run=flags.run)
    except KeyboardInterrupt:
        return failure.report_interrupt(as_json=flags.json, run=flags.run)
    except Exception as error:  # noqa: BLE001  # the edge: everything is reported, nothing raised
        return failure.report(error, as_json=flags.json, run=flags.run, under_way=True)
    if flags.json:
        screen.print_document(msgspec.json.encode(outcome.summary).decode())
    return exit_codes.of_outcome(outcome.summary.status, outcome.error)


def verify_and_print(
    plan: VerifyPlan,
    progress: ProgressFlag,
    *,
    asks: bool,
    last_words: LastWords,
    around: Around = nullcontext,
) -> VerifyOutcome:
    """Verifies, and prints the outcome on stderr. `around` is entered meanwhile."""
    from dynaferry.cli.interrupts import run_async, run_until_stopped
    from dynaferry.verify.run import execute

    watch = watcher(progress, readers=plan.copy.readers)

    async def body(stop: StopSignal) -> VerifyOutcome:
        async with around():
            return await execute(
                plan,
                stop=stop,
                watch=watch,
                say=screen.say,
                approve=partial(_ask, Questions()) if asks else _print_plan,
            )

    outcome = run_async(partial(run_until_stopped, body), last_words=last_words)
    if outcome.error is not None:
        failure.print_error(outcome.error)
    has_begun = any(table.segments_total for table in outcome.summary.tables)
    if has_begun:
        for line in verify_lines(outcome.summary, limit=plan.limit, begins_anew=plan.begins_anew):
            screen.say(line)
        if plan.certificate is not None and outcome.summary.status in ENDED:
            screen.say(f"the certificate is {plan.certificate}")
    elif outcome.summary.status == "interrupted":
        screen.say(NOTHING_COMPARED)
    return outcome


def watcher(progress: ProgressFlag, *, readers: int) -> Watch[ComparisonRunStats] | None:
    """The progress display that suits stderr: redrawn in place on a terminal, events in a log in
    JSON, else lines.
    """
    from dynaferry.verify.progress import watch_events, watch_plain

    if progress is ProgressFlag.NONE:
        return None
    if progress is ProgressFlag.AUTO and screen.is_live_terminal():
        from rich.console import Console

        from dynaferry.verify.terminal import watch_live

        return partial(watch_live, readers=readers, console=Console(stderr=True))
    if screen.says_events():
        return partial(watch_events, readers=readers, write=screen.say_event)
    return partial(watch_plain, readers=readers, write=screen.say)


def _check_that_it_can_ask(plan: VerifyPlan, *, asks: bool) -> None:
    """Known before hours of reading, not after."""
    if plan.mends and asks and not sys.stdin.isatty():
        raise PlanError(
            "a repair is shown and confirmed before anything is written, and stdin is no terminal",
            hint="run it on a terminal, or add --yes; without --repair and --delete-extra nothing "
            "is written",
        )


async def _print_plan(planned: RepairPlan) -> bool:
    for line in repair_lines(planned):
        screen.say(line)
    return True


async def _ask(questions: Questions, planned: RepairPlan) -> bool:
    question = f"{formatting.place(planned.target_arn)}: continue? [y/N]"
    if await questions.agreed(*repair_lines(planned), question):
        return True
    screen.say("nothing is written")
    return False
