"""Groups of batches to which something has happened, without anybody who sends them."""

from collections.abc import Sequence

from msgspec import Raw

from dynaferry.copy.batch_group import BatchGroup
from dynaferry.copy.pending_page import PendingPage
from dynaferry.errors import DynaferryError
from dynaferry.ports import Change, WriteResult
from tests.worlds.fakes import wire_item

SECONDS = 0.25


class QuarterClock:
    """A quarter of a second passes between any two looks at it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += SECONDS
        return self.now


def items_of(count: int) -> list[Raw]:
    return [wire_item(f"k{number:03d}") for number in range(count)]


def group_of(items: Sequence[Change], *then: WriteResult | DynaferryError) -> BatchGroup:
    """A group of all these items; `then` happens to its batches, one after the other, and nothing
    to the next, which is under way.
    """
    claim = PendingPage(3, 7, items, may_be_large=False).claim(32)
    group = BatchGroup(claim, float(len(claim.sample.items)), float(len(claim.sample.items)))
    batches = group.batches(QuarterClock(), lambda: True)
    next(batches)
    for each in then:
        if isinstance(each, DynaferryError):
            group.fail(each)
            break
        try:
            batches.send(each)
        except StopIteration:
            break
    return group
