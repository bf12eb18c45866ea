"""What is concluded from what a spool holds and has held: its rates, and whether it only grows."""

from typing import Final

from dynaferry.follow.spool_records import SpoolCounts

# Where more comes in than goes out for so long, it is said that it will not catch up.
LOSING_SECONDS: Final = 60.0
# Fewer than this are on their way in any case.
LOSING_ROWS: Final = 1_000
# Of what comes in, what stays for it to be so: a queue that is kept short goes up and down.
LOSING_SHARE: Final = 0.05


class Rates:
    """Changes a second, in and out, over the last seconds, and whether what waits only grows.

    It is losing where, for a minute of applying, what waits has grown in both halves of it, by a
    twentieth of what came in at least.
    """

    def __init__(self, over_seconds: float = 10.0) -> None:
        self._over = over_seconds
        self._seen: list[tuple[float, int, int]] = []
        self._waited: list[tuple[float, int, int]] = []
        self.is_losing = False

    def note(self, now: float, counts: SpoolCounts, *, applies: bool) -> tuple[float, float]:
        """Takes the totals at `now`, and whether anything is applied yet; returns the rates."""
        captured, out = counts.captured, counts.applied + counts.compacted + counts.rejected
        self._note_growth(now, captured, counts.waiting if applies else None)
        self._seen.append((now, captured, out))
        _drop_before(self._seen, now - self._over)
        then, captured_then, out_then = self._seen[0]
        seconds = now - then
        if seconds <= 0:
            return 0.0, 0.0
        return (captured - captured_then) / seconds, (out - out_then) / seconds

    def _note_growth(self, now: float, captured: int, waiting: int | None) -> None:
        if waiting is None:
            self._waited, self.is_losing = [], False
            return
        self._waited.append((now, captured, waiting))
        _drop_before(self._waited, now - LOSING_SECONDS)
        began, captured_then, first = self._waited[0]
        half = next(each for each in self._waited if each[0] >= (began + now) / 2)[2]
        self.is_losing = (
            now - began >= LOSING_SECONDS
            and waiting >= LOSING_ROWS
            and waiting > half > first
            and waiting - first >= LOSING_SHARE * (captured - captured_then)
        )


def _drop_before(samples: list[tuple[float, int, int]], since: float) -> None:
    """What is older than the newest sample from before then."""
    while len(samples) > 2 and samples[1][0] <= since:
        samples.pop(0)
