"""One side of a verification: pages and reads by key, at its rate, tried again where that helps."""

from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from dynaferry.dynamodb.items.canonical import canonical
from dynaferry.errors import ImpossibleAnswerError, UnprocessedError
from dynaferry.limits import PAGE_MAX_ITEM_BYTES
from dynaferry.ports import FoundItems, KeyLookup, Page, PageSource
from dynaferry.throttle.cost_ratio import from_above
from dynaferry.throttle.limited_call import LimitedCall
from dynaferry.throttle.limiter import RateLimiter
from dynaferry.throttle.retry import RetryPolicy
from dynaferry.verify.stats import ComparisonReads, ComparisonStats

# A consistent read of an item costs a unit for each started 4 KB [DG:read-write-operations].
UNITS_PER_KEY = 1.0
LEAST_PAGE_UNITS = 1.0
# A table may have grown so much since it was measured, hours ago.
GROWN_SINCE = 2.0


class SideReader:
    """Reads one table. Any number of tasks may call it.

    `table_bytes` is its size, 0 where the service does not say: no page is expected to cost more
    than about twice of it.
    """

    def __init__(
        self,
        pages: PageSource,
        lookup: KeyLookup,
        stats: ComparisonStats,
        *,
        key_of: Callable[[bytes], bytes],
        limiter: RateLimiter,
        retry: RetryPolicy,
        table_bytes: int = 0,
    ) -> None:
        self._pages = pages
        self._lookup = lookup
        self._stats = stats
        self._key_of = key_of
        self._retry = retry
        self._call = LimitedCall(limiter, retry, ComparisonReads(stats))
        full = pages.full_page_units
        of_table = GROWN_SINCE * table_bytes * full / PAGE_MAX_ITEM_BYTES or full
        self._expected_units = min(full, max(LEAST_PAGE_UNITS, of_table))

    async def read_page(self, segment: int, exclusive_start_key: bytes | None) -> Page:
        """One page; see `PageSource`.

        :raises StoppedError: it cannot be read now
        """
        page = await self._retry.call(partial(self._read_page, segment, exclusive_start_key))
        self._stats.bytes_read += page.body_bytes
        if page.consumed_units is not None:
            # A cap holds as long as no page costs more than was expected.
            self._expected_units = from_above(self._expected_units, page.consumed_units)
        return page

    async def _read_page(self, segment: int, start_key: bytes | None) -> Page:
        read = partial(self._pages.read_page, segment, start_key)
        return await self._call.send("Scan", read, self._expected_units)

    async def find_items(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The items that are there now, by their canonical keys.

        `keys` are canonical, and no more than one request may ask for.

        :raises StoppedError: they cannot be read now
        """
        found: dict[bytes, bytes] = {}
        remaining = list(keys)

        async def find_remaining() -> None:
            nonlocal remaining
            asked = remaining
            find = partial(self._lookup.find_items, asked)
            response = await self._call.send("BatchGetItem", find, UNITS_PER_KEY * len(asked))
            items = self._by_key(response, asked)
            remaining = [canonical(key) for key in response.unprocessed]
            found.update(items)
            if remaining:
                raise UnprocessedError(
                    f"BatchGetItem left {len(remaining)} of {len(asked)} keys unprocessed",
                    operation="BatchGetItem",
                )

        await self._retry.call(find_remaining)
        return found

    def _by_key(self, response: FoundItems, asked: Sequence[bytes]) -> dict[bytes, bytes]:
        """The items by their keys; what was not asked for means that nothing can be believed."""
        try:
            items = {self._key_of(bytes(item)): bytes(item) for item in response.items}
        except msgspec.MsgspecError as error:
            raise _not_asked_for() from error
        unprocessed = {canonical(key) for key in response.unprocessed}
        named = items.keys() | unprocessed
        if not named <= set(asked):
            raise _not_asked_for()
        if len(named) != len(response.items) + len(response.unprocessed):
            raise ImpossibleAnswerError(
                "BatchGetItem named one key more than once", operation="BatchGetItem"
            )
        return items


def _not_asked_for() -> ImpossibleAnswerError:
    return ImpossibleAnswerError(
        "BatchGetItem gave an item that was not asked for", operation="BatchGetItem"
    )
