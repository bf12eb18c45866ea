"""What batches cost, in units and in seconds: learnt from those that were written before. Pure."""

from collections.abc import Callable, Sequence
from typing import Final

from dynaferry.copy.batch_group import MOST_IN_A_ROW, STEP_SECONDS, BatchGroup
from dynaferry.copy.pending_page import Batch, BatchClaim, cut
from dynaferry.limits import BATCH_MAX_ITEMS
from dynaferry.ports import Change

# How much the newest batch weighs in what the next one is expected to cost: indexes make it cost
# more than its size says, and the wire form is longer than what is charged.
NEWEST_BATCH_WEIGHT: Final = 0.1
# How much a group's shortest request weighs in what one takes that does not wait for others. What
# is shorter than the least makes no group longer.
NEWEST_GROUP_WEIGHT: Final = 0.01
LEAST_REQUEST_SECONDS: Final = STEP_SECONDS / MOST_IN_A_ROW


class BatchCost:
    """The cost of the batches of one table; `by_size` are the units that items cost by their size
    alone.
    """

    def __init__(self, by_size: Callable[[Sequence[Change]], float]) -> None:
        self._by_size = by_size
        self._units_share = 1.0
        self._batch_units = float(BATCH_MAX_ITEMS)
        self._request_seconds = STEP_SECONDS

    def group_of(self, claim: BatchClaim) -> BatchGroup:
        """What is claimed, with what each batch of it is likely to consume."""
        by_size = self._by_size(claim.sample.items)
        return BatchGroup(claim, by_size * self._units_share, by_size)

    def units_of(self, items: Sequence[Change]) -> float:
        """What writing the items is likely to consume."""
        return self._by_size(items) * self._units_share

    def cut(self, batch: Batch, most_units: float) -> tuple[Batch, Batch | None]:
        """The first items of a batch that consume at most `most_units` together, and the rest."""
        return cut(batch, most_units / self._units_share, self._by_size)

    def most_in_a_group(self, batches_waiting: int, most_units: float) -> int:
        """How many batches to take at once: more than one only where nothing holds writes back, so
        that `most_units` may go together, and where every other writer finds as many as
        `batches_waiting` for each or they are soon sent.
        """
        soon_sent = STEP_SECONDS / self._request_seconds
        of_the_rate = most_units / self._batch_units
        return int(min(MOST_IN_A_ROW, max(batches_waiting, soon_sent), of_the_rate)) or 1

    def learn(self, group: BatchGroup) -> None:
        """Takes in what the batches of a group cost that were written whole; there must be one."""
        if group.consumed is not None:
            share = group.consumed / (group.by_size * len(group.seconds))
            self._units_share += NEWEST_BATCH_WEIGHT * (share - self._units_share)
        self._batch_units = group.units
        self._learn_seconds(min(group.seconds))

    def _learn_seconds(self, seconds: float) -> None:
        """What requests wait for each other is not in it: it falls at once, and rises slowly."""
        longer = max(0.0, seconds - self._request_seconds)
        shortest = max(LEAST_REQUEST_SECONDS, min(seconds, self._request_seconds))
        self._request_seconds = shortest + NEWEST_GROUP_WEIGHT * longer
