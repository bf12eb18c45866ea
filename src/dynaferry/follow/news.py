"""What a capture is handed: pages of shards and listings, and which of them may wait for others."""

from collections.abc import Sequence
from typing import Final

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream
from msgspec import Struct

from dynaferry.follow.shard_reader import FULL_PAGE_RECORDS, Read
from dynaferry.ports import Shard

# Pages that come within this time of the last transaction wait for each other: a transaction for
# each page would cost as much again as the changes in it.
TOGETHER_SECONDS: Final = 0.2
# Empty pages of many shards are many, and keep nobody waiting.
_MOST_TOGETHER: Final = 64


class Listed(Struct, frozen=True):
    """A complete listing, or the children of one shard."""

    shards: Sequence[Shard]
    is_complete: bool
    is_enabled: bool = True
    began_at: float = 0.0


News = Read | Listed


async def together(
    first: News,
    receives: MemoryObjectReceiveStream[News],
    *,
    until: float,
    slots: anyio.Semaphore,
) -> list[News]:
    """What has come together with it, in order; and what comes `until` then, by the loop's clock,
    as long as nobody waits for what is there, nor for the memory that it takes: the `slots`.
    """
    news = [first, *_there_now(receives)]
    while (wait := until - anyio.current_time()) > 0 and slots.value and _may_wait(news):
        with anyio.move_on_after(wait):
            news.append(await receives.receive())
            news += _there_now(receives)
    return news


def is_nothing(news: News) -> bool:
    """An empty page: nothing to store."""
    return (
        isinstance(news, Read)
        and news.gap is None
        and not news.is_over
        and news.page is not None
        and not news.page.changes
    )


def _may_wait(news: Sequence[News]) -> bool:
    """Whether these are pages alone, and few changes: behind the end of a shard others begin."""
    changes = 0
    for each in news:
        if not isinstance(each, Read) or each.page is None or each.gap or each.is_over:
            return False
        changes += len(each.page.changes)
    return changes < FULL_PAGE_RECORDS and len(news) < _MOST_TOGETHER


def _there_now(receives: MemoryObjectReceiveStream[News]) -> list[News]:
    """What is there without waiting, in order."""
    news: list[News] = []
    while True:
        try:
            news.append(receives.receive_nowait())
        except anyio.WouldBlock:
            return news
