"""The progress of a run as lines for a log."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import anyio

from dynaferry.observe import clock_time, formatting
from dynaferry.observe.display import Sleep, write_lines
from dynaferry.observe.estimator import TableProgress
from dynaferry.observe.run_meter import RunMeter, TableView
from dynaferry.observe.stats import ControlledStats, RunStats
from dynaferry.observe.table_state import ShownState

# Below that nobody looks at a clock.
CLOCK_TIME_FROM_SECONDS: Final = 60.0
_IN_ORDER: Final[tuple[ShownState, ...]] = (
    "rejected",
    "running",
    "stalled",
    "paused",
    "waiting",
    "failed",
    "interrupted",
)
_FINISHED: Final = frozenset({"complete", "rejected", "interrupted", "failed"})


def ending(view: TableView) -> str:
    """The time until a table is done, or else the state in which it is."""
    if view.shown_state == "running":
        return duration_or_unknown(view.seconds_left)
    return view.shown_state


def duration_or_unknown(seconds: float | None) -> str:
    """`4m 05s`, or `unknown`."""
    return "unknown" if seconds is None else formatting.time_left(seconds)


def eta_words(seconds: float | None, now: float) -> str:
    """`ETA 4m 05s (about 03:40)`, or `ETA unknown`; `now` is in seconds since the epoch."""
    if seconds is None or seconds < CLOCK_TIME_FROM_SECONDS:
        return f"ETA {duration_or_unknown(seconds)}"
    return f"ETA {formatting.duration(seconds)} ({clock_time.about(seconds, now)})"


def plain_line(view: TableView, now: float) -> str:
    """One table as a line for a log: words and numbers, no control sequences."""
    is_running = view.shown_state == "running"
    left = eta_words(view.seconds_left, now) if is_running else view.shown_state
    return ", ".join(
        (
            f"{view.name}: {formatting.percent(view.share_done)}",
            f"{formatting.count(view.items_done)} items",
            f"{formatting.short(view.items_per_second)} items/s",
            f"{formatting.megabytes(view.bytes_per_second)} MB/s",
            f"{formatting.short(view.write_units_per_second)} WCU/s",
            f"{formatting.short(view.read_units_per_second)} RCU/s",
            f"{formatting.percent(view.throttled_share)} throttled",
            f"segments {view.segments_complete}/{view.segments_total}",
            left,
            *((view.limited_by,) if view.limited_by else ()),
        )
    )


def total_line(views: Sequence[TableView], total: TableProgress, now: float) -> str:
    """All tables as a line for a log: how far, how many are done, and when all of it ends."""
    of = "" if total.expected_items is None else f" of {formatting.count(total.expected_items)}"
    return ", ".join(
        (
            f"total: {formatting.percent(total.progress_ratio)}",
            f"{formatting.count(total.items_done)}{of} items",
            f"{formatting.short(items_per_second(views))} items/s",
            states_in_words(views),
            *((eta_words(total.eta_seconds, now),) if is_moving(views) else ()),
        )
    )


def is_moving(views: Sequence[TableView]) -> bool:
    """Whether any table is under way, so that an end of all of them may be known."""
    return any(view.shown_state == "running" for view in views)


def items_per_second(views: Sequence[TableView]) -> float | None:
    """The rate of all tables under way together; None where none of them has any."""
    found = [
        view.items_per_second
        for view in views
        if view.shown_state == "running" and view.items_per_second is not None
    ]
    return sum(found) if found else None


def states_in_words(views: Sequence[TableView]) -> str:
    """How many tables are in which state: `3 of 8 tables complete, 4 running, 1 waiting`."""
    counts = Counter(view.shown_state for view in views)
    complete = counts.pop("complete", 0)
    others = [f"{counts[state]} {state}" for state in _IN_ORDER if counts[state]]
    return ", ".join([f"{complete} of {len(views)} tables complete", *others])


class PlainLog:
    """The choice of log lines: of tables that run, and of each once when it has ended."""

    def __init__(self, limits_in_words: str | None = None) -> None:
        self._ended: set[int] = set()
        self._limits_in_words = limits_in_words

    def news(self, stats: ControlledStats) -> list[str]:
        """A line when the pause or the caps have changed."""
        if stats.limits_in_words == self._limits_in_words:
            return []
        self._limits_in_words = stats.limits_in_words
        return [f"{stats.run}: {stats.limits_in_words or 'no limit'}"]

    def lines(
        self, views: Sequence[TableView], now: float, total: TableProgress | None = None
    ) -> list[str]:
        """The lines to write now; that of the total behind those of several tables."""
        found = [plain_line(view, now) for _, view in self.worth(views)]
        if total is not None and len(views) > 1:
            found.append(total_line(views, total, now))
        return found

    def worth(self, views: Sequence[TableView]) -> list[tuple[int, TableView]]:
        """The tables that are worth a line now, each with its place."""
        worth: list[tuple[int, TableView]] = []
        for index, view in enumerate(views):
            ended = view.state in _FINISHED
            if view.state == "waiting" or (ended and index in self._ended):
                continue
            if ended:
                self._ended.add(index)
            worth.append((index, view))
        return worth


async def watch_plain(
    stats: RunStats,
    *,
    readers: int,
    write: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    wall_clock: Callable[[], float] = time.time,
    sleep: Sleep = anyio.sleep,
) -> None:
    """Writes lines every ten seconds, and once more when it is cancelled because the copy ended.

    `write` must not raise.
    """
    # The line of the beginning was printed by the caller.
    meter, log = RunMeter(readers), PlainLog(stats.limits_in_words)

    def lines(views: Sequence[TableView]) -> list[str]:
        return log.lines(views, wall_clock(), meter.total)

    await write_lines(
        lambda: meter.view(stats, clock()),
        lines,
        last_lines=lines,
        news=lambda: log.news(stats),
        write=write,
        sleep=sleep,
    )
