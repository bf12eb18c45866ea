"""`dynaferry bench`: asks, measures, shows progress, and prints what it found."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from dynaferry.bench.settings import BenchSummary
from dynaferry.cli import exit_codes, failure, screen
from dynaferry.cli.question import Questions
from dynaferry.errors import DynaferryError, PlanError
from dynaferry.observe.formatting import place

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynaferry.bench.settings import BenchPlan, BenchStatus, Kind
    from dynaferry.bench.work import Measured
    from dynaferry.cli.watchdog import LastWords
    from dynaferry.stop import StopSignal

SHOW_SECONDS = 2.0
_CODES = {
    "complete": exit_codes.COMPLETE,
    "cost_ceiling": exit_codes.COMPLETE,
    "interrupted": exit_codes.INTERRUPTED,
    "failed": exit_codes.FAILED,
    "refused": exit_codes.REFUSED,
}


def run_bench(kind: Kind, make_plan: Callable[[], BenchPlan], *, yes: bool, as_json: bool) -> int:
    """Measures and returns the exit code; every error is reported."""
    try:
        plan = make_plan()
        if not yes:
            check_somebody_can_be_asked()
        last_words = partial(_print_failure, kind, as_json=as_json)
        summary, reason = _measure(plan, last_words, asks=not yes)
    except KeyboardInterrupt:
        return _print_summary(BenchSummary(bench=kind, status="interrupted"), None, as_json=as_json)
    except Exception as error:  # noqa: BLE001  # the edge: everything is reported, nothing raised
        return _print_failure(kind, error, as_json=as_json)
    return _print_summary(summary, reason, as_json=as_json)


def _print_failure(kind: Kind, error: Exception, *, as_json: bool) -> int:
    failed = BenchSummary(bench=kind, status="failed", error=failure.summarize(error))
    return _print_summary(failed, error, as_json=as_json)


def check_somebody_can_be_asked() -> None:
    """Returns if there is a terminal.

    :raises PlanError: there is none
    """
    if not sys.stdin.isatty():
        raise PlanError(
            "nobody can be asked whether to spend money: this is no terminal",
            hint="add --yes, with a --max-cost that is right for you",
        )


def _measure(
    plan: BenchPlan, last_words: LastWords, *, asks: bool
) -> tuple[BenchSummary, DynaferryError | None]:
    from dynaferry.bench.run import Bench
    from dynaferry.cli.interrupts import run_async, run_until_stopped

    async def body(stop: StopSignal) -> tuple[BenchSummary, DynaferryError | None]:
        approve = partial(agreed, Questions()) if asks else None
        return await Bench(plan, stop=stop, say=screen.say, approve=approve, watch=_show).run()

    return run_async(partial(run_until_stopped, body), last_words=last_words)


async def agreed(questions: Questions, question: str) -> bool:
    """Whether the person agrees to what is about to be done."""
    return await questions.agreed(f"{question} Continue? [y/N]")


async def _show(measured: Measured) -> None:
    import anyio

    while True:
        await anyio.sleep(SHOW_SECONDS)
        screen.say(progress_line(measured))


def progress_line(measured: Measured) -> str:
    """The line of progress."""
    seconds = max(measured.seconds, 1e-9)
    latency = measured.stopwatch.latency()
    p99 = f", p99 {latency.p99:,.0f} ms" if latency else ""
    return (
        f"{seconds:3.0f} s: {measured.items / seconds:,.0f} items/s,"
        f" {measured.cost.units / seconds:,.0f} units/s{p99},"
        f" {measured.throttled_requests:,} requests throttled, ${measured.cost.dollars:.4f}"
    )


def summary_lines(summary: BenchSummary) -> list[str]:
    """The lines that end a benchmark, for people."""
    table = place(summary.table_arn) if summary.table_arn else summary.table
    heading = " ".join(filter(None, ("bench", summary.bench, table)))
    lines = [f"{heading}: {STATUS_WORDS[summary.status]}"]
    if summary.requests:
        lines.append(
            f"  rate      {summary.items_per_second:,.0f} items/s,"
            f" {summary.units_per_second:,.0f} units/s,"
            f" {summary.megabytes_per_second:,.1f} MB/s over {summary.seconds:,.1f} s"
        )
    if latency := summary.latency_milliseconds:
        lines.append(
            f"  latency   p50 {latency.p50:,.1f} ms, p90 {latency.p90:,.1f} ms,"
            f" p99 {latency.p99:,.1f} ms, most {latency.max:,.1f} ms"
        )
    if summary.requests:
        lines.append(
            f"  throttled {summary.throttled_requests:,} of {summary.requests:,} requests,"
            f" {summary.unprocessed_items:,} items left unprocessed"
        )
        lines.append(
            f"  cost      ${summary.cost_dollars:.4f} of at most ${summary.max_cost_dollars:g}"
        )
    if forecast := summary.forecast:
        lines.append(
            f"  forecast  {forecast.items:,} items: {_duration(forecast.seconds)},"
            f" {forecast.units:,.0f} units, ${forecast.cost_dollars:,.2f} on this side"
        )
    return lines


STATUS_WORDS = {
    "complete": "complete",
    "cost_ceiling": "stopped at the cost ceiling",
    "interrupted": "interrupted",
    "failed": "failed",
    "refused": "nothing was done",
}


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:,.0f} s"
    return f"{seconds / 60:,.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"


def _print_summary(summary: BenchSummary, error: Exception | None, *, as_json: bool) -> int:
    if error is not None:
        failure.print_error(error)
    for line in summary_lines(summary):
        screen.say(line)
    if as_json:
        screen.print_document(msgspec.json.encode(summary).decode())
    return exit_code(summary.status, error)


def exit_code(status: BenchStatus, error: Exception | None) -> int:
    """The exit code of a benchmark that ended so."""
    if isinstance(error, PlanError):
        return exit_codes.USAGE
    if error is not None and not isinstance(failure.sole_reason(error), DynaferryError):
        return exit_codes.INTERNAL
    return _CODES[status]
