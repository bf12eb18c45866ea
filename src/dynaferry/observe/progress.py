"""The progress of a run as lines for a log."""

import time
from collections.abc import Callable, Sequence

import anyio

from dynaferry.observe import formatting
from dynaferry.observe.display import Sleep, write_lines
from dynaferry.observe.run_meter import RunMeter, TableView
from dynaferry.observe.stats import ControlledStats, RunStats

_FINISHED = frozenset({"complete", "rejected", "interrupted", "failed"})


def ending(view: TableView) -> str:
    """The time left in words, or how the table ended."""
    if view.is_stalled:
        return "stalled"
    if view.state == "running":
        return formatting.duration(view.seconds_left)
    return {"complete": "done", "rejected": "done, with rejects", "interrupted": "stopped"}.get(
        view.state, view.state
    )


def plain_line(view: TableView) -> str:
    """One table as a line for a log: words and numbers, no control sequences."""
    goes_on = view.state == "running" and not view.is_stalled
    left = f"{ending(view)} left" if goes_on else ending(view)
    bottleneck = (f"held back by {view.bottleneck}",) if view.bottleneck else ()
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
            *bottleneck,
        )
    )


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
        return [f"{stats.run}: {stats.limits_in_words or 'nothing holds it back'}"]

    def lines(self, views: Sequence[TableView]) -> list[str]:
        """The lines to write now."""
        worth: list[str] = []
        for index, view in enumerate(views):
            ended = view.state in _FINISHED
            if view.state == "waiting" or (ended and index in self._ended):
                continue
            if ended:
                self._ended.add(index)
            worth.append(plain_line(view))
        return worth


async def watch_plain(
    stats: RunStats,
    *,
    readers: int,
    write: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    sleep: Sleep = anyio.sleep,
) -> None:
    """Writes lines every ten seconds, and once more when it is cancelled because the copy ended.

    `write` must not raise.
    """
    # The line of the beginning was printed by the caller.
    meter, log = RunMeter(readers), PlainLog(stats.limits_in_words)
    await write_lines(
        lambda: meter.view(stats, clock()),
        log.lines,
        last_lines=log.lines,
        news=lambda: log.news(stats),
        write=write,
        sleep=sleep,
    )
