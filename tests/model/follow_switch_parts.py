"""What the model of the switch asks the code: whether it is quiet, and what is decided then."""

from functools import cache

from dynaferry.follow.cut_over import (
    ComparedKeys,
    CompareNow,
    CutOverProgress,
    CutOverRequest,
    Go,
    HoldWrites,
    NotReady,
    TableLook,
    decide,
)
from dynaferry.follow.quiet import LEAST_POLLS, LEAST_SECONDS, Listing, Quiet, QuietWatch, Spooled

START = 1_800_000_000.0


@cache
def quiet_after(ticks: int, of: int, waiting: int, in_flight: int, childless: int) -> Quiet:
    """What a watch says that many ticks after the last record, where `of` of them are enough.

    Each tick is polled to its end, and all shards are listed in it.
    """
    if not of:  # believed at once, which the code does not do
        return Quiet(not (waiting or in_flight), (), 0.0, START)
    seconds, now = (LEAST_SECONDS + 0.5) / of, START
    watch = QuietWatch(now)
    watch.opened("shard", now)
    for _ in range(ticks):
        for _ in range(LEAST_POLLS):
            now += seconds / LEAST_POLLS
            watch.read("shard", now, now)
        watch.listed(Listing(now, childless=childless))
    return watch.verdict(now, Spooled(waiting, in_flight))


@cache
def decided(quiet: Quiet, *, doubts: int, is_compared: bool, is_held: bool, rounds: int) -> str:
    """What is to be done: `go`, `compare`, `hold`, `not ready` or `wait`."""
    now = quiet.since + quiet.asked_seconds + 9.0
    look = TableLook(table="orders", quiet=quiet, captured=1, doubts=doubts, is_held=is_held)
    progress = CutOverProgress(
        compared=ComparedKeys((1,), 1, 0) if is_compared else None, rounds_that_differed=rounds
    )
    decision = decide(CutOverRequest(begun_at=now, stopped_at=quiet.since), progress, [look], now)
    for kind, told in ((Go, "go"), (CompareNow, "compare"), (HoldWrites, "hold")):
        if isinstance(decision, kind):
            return told
    return "not ready" if isinstance(decision, NotReady) else "wait"
