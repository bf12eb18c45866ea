"""Every key of a move's tables compared, with consistent reads, as `dynaferry verify` does it."""

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec.structs import replace

from dynaferry.plan.settings import CopyPlan
from dynaferry.run.lifecycle import Say
from dynaferry.stop import StopSignal
from dynaferry.verify.compare.written_since import WrittenSince
from dynaferry.verify.run import execute
from dynaferry.verify.settings import VerifyPlan
from dynaferry.verify.summary import VerifyOutcome, VerifySummary

# What is seen once and not again so much later is no difference.
SETTLE_SECONDS: Final = 5.0
_MOST_KEYS_TOLD: Final = 5


def whole_plan(plan: CopyPlan) -> VerifyPlan:
    """The plan of a comparison of all keys, which goes on with one that is not finished."""
    return VerifyPlan(
        copy=replace(plan, restart=False, run=plan.run_name),
        settle_seconds=SETTLE_SECONDS,
        consistent_read=True,
    )


async def compare_whole(
    plan: CopyPlan,
    *,
    stop: StopSignal,
    say: Say,
    written_since: Sequence[WrittenSince] = (),
) -> VerifyOutcome:
    """Compares; what each table's `written_since` knows to have been written is no difference."""
    return await execute(whole_plan(plan), stop=stop, say=say, written_since=written_since)


def differing_keys(summary: VerifySummary) -> Iterator[tuple[str, str]]:
    """The first keys that differ, each with its table."""
    for table in summary.tables:
        for one in table.differences[:_MOST_KEYS_TOLD]:
            yield table.source, bytes(one.key).decode("utf-8", "replace")
