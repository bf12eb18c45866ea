"""`dynaferry bench facts`: asks, measures, and prints a line for each assumption."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from dynaferry.bench.facts.settings import FactsSummary
from dynaferry.cli import failure, screen
from dynaferry.cli.commands.bench import (
    STATUS_WORDS,
    agreed,
    check_somebody_can_be_asked,
    exit_code,
)
from dynaferry.cli.question import Questions

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynaferry.bench.facts.settings import FactsPlan
    from dynaferry.errors import DynaferryError
    from dynaferry.state.facts_file import Fact
    from dynaferry.stop import StopSignal


def run_facts(make_plan: Callable[[], FactsPlan], *, yes: bool, as_json: bool) -> int:
    """Measures and returns the exit code; every error is reported. An assumption that fails is no
    error: what was to be found out was found out.
    """
    try:
        plan = make_plan()
        if not yes:
            check_somebody_can_be_asked()
        summary, reason = _measure(plan, partial(_print_failure, as_json=as_json), asks=not yes)
    except KeyboardInterrupt:
        return _print_summary(FactsSummary(status="interrupted"), None, as_json=as_json)
    except Exception as error:  # noqa: BLE001  # the edge: everything is reported, nothing raised
        return _print_failure(error, as_json=as_json)
    return _print_summary(summary, reason, as_json=as_json)


def _print_failure(error: Exception, *, as_json: bool) -> int:
    failed = FactsSummary(status="failed", error=failure.summarize(error))
    return _print_summary(failed, error, as_json=as_json)


def _measure(
    plan: FactsPlan, last_words: Callable[[Exception], int], *, asks: bool
) -> tuple[FactsSummary, DynaferryError | None]:
    from dynaferry.bench.facts.run import FactsBench
    from dynaferry.cli.interrupts import run_async, run_until_stopped

    async def body(stop: StopSignal) -> tuple[FactsSummary, DynaferryError | None]:
        approve = partial(agreed, Questions()) if asks else None
        return await FactsBench(plan, stop=stop, say=screen.say, approve=approve).run()

    return run_async(partial(run_until_stopped, body), last_words=last_words)


def summary_lines(summary: FactsSummary) -> list[str]:
    """The lines that end a measurement, for people."""
    facts = summary.facts
    where = "" if facts is None else f" {facts.account}, {facts.region}"
    lines = [f"bench facts{where}: {STATUS_WORDS[summary.status]}"]
    if facts is not None:
        for fact in facts.facts:
            lines += _lines_of(fact)
    if summary.seconds:
        lines.append(
            f"  took {summary.seconds:,.0f} s and ${summary.cost_dollars:.4f} of at most"
            f" ${summary.max_cost_dollars:g}"
        )
    if summary.file is not None:
        lines.append(f"  written to {summary.file}")
    return lines


def _lines_of(fact: Fact) -> list[str]:
    words = fact.verdict.replace("-", " ")
    return [f"  {words:<12}  {fact.assumption}", f"  {'':<12}  {fact.line}"]


def _print_summary(summary: FactsSummary, error: Exception | None, *, as_json: bool) -> int:
    if error is not None:
        failure.print_error(error)
    for line in summary_lines(summary):
        screen.say(line)
    if as_json:
        screen.print_document(msgspec.json.encode(summary).decode())
    return exit_code(summary.status, error)
