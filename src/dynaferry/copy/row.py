"""Batches of one page that one writer sends one after the other.

What is kept of each batch (the pace, the order of the lanes, the acknowledgement) costs as much
as sending it. Where nothing holds writes back, it is kept once for a whole row. Elsewhere a row is
one batch.
"""

from collections.abc import Callable, Sequence
from typing import Final

from dynaferry.copy.batcher import Batch
from dynaferry.ports import WriteResult

MOST_IN_A_ROW: Final = 16
# Whether anything holds writes back by now is asked this often, and not after every answer.
LOOK_SECONDS: Final = 0.02


class Row:
    """The batches, and what became of them so far.

    Each is expected to consume `units`; `by_size` are those of the first by its size alone.
    `seconds` are those that each of the batches took that were taken whole, `consumed` their
    units together, None where the service did not say. `left` is the last answer, if it is of a
    batch that was not taken whole, and `left_seconds` how long it took.
    """

    __slots__ = (
        "_clock", "_look_at", "_mark", "_may_go_on", "answered", "batches", "by_size", "consumed",
        "failed", "left", "left_seconds", "seconds", "units",
    )  # fmt: skip

    def __init__(self, batches: Sequence[Batch], units: float, by_size: float) -> None:
        self.batches = batches
        self.units = units
        self.by_size = by_size
        self.seconds: list[float] = []
        self.consumed: float | None = 0.0
        self.left: WriteResult | None = None
        self.left_seconds = 0.0
        self.answered = 0
        self.failed = False

    @property
    def segment(self) -> int:
        """The segment of its batches."""
        return self.batches[0].segment

    @property
    def all_units(self) -> float:
        """What all of it is expected to consume."""
        return self.units * len(self.batches)

    @property
    def items_written(self) -> int:
        """The items of the batches that were taken whole."""
        return sum([len(batch.items) for batch in self.batches[: len(self.seconds)]])

    @property
    def last(self) -> Batch:
        """The batch of the last answer, or the one that has failed."""
        return self.batches[self.answered - (not self.failed)]

    @property
    def unsent(self) -> Sequence[Batch]:
        """The batches that were not sent."""
        return self.batches[self.answered + self.failed :]

    def begin(self, clock: Callable[[], float], may_go_on: Callable[[], bool]) -> None:
        """The first is sent now, and the others while `may_go_on`."""
        self._clock = clock
        self._may_go_on = may_go_on
        self._mark = clock()
        self._look_at = self._mark + LOOK_SECONDS

    def took(self, result: WriteResult) -> bool:
        """Notes the next answer; says whether to go on."""
        now = self._clock()
        seconds, self._mark = now - self._mark, now
        self.answered += 1
        if result.unprocessed:
            self.left, self.left_seconds = result, seconds
            return False
        self.seconds.append(seconds)
        if self.consumed is not None:
            consumed = result.consumed_units
            self.consumed = None if consumed is None else self.consumed + consumed
        if now < self._look_at:
            return True
        self._look_at = now + LOOK_SECONDS
        return self._may_go_on()

    def fail(self) -> float:
        """The next batch has failed; returns after how many seconds."""
        self.failed = True
        return self._clock() - self._mark
