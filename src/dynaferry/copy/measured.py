"""Requests are counted and timed: a source that does it by itself, and what failed writes leave.

The source stands between the copy and the real one, behind the same port. Writes are too many for
a layer of their own: the writer counts them.
"""

import logging
import time
from collections.abc import Callable, Sequence

from msgspec import Raw

from dynaferry.errors import (
    CorruptAnswerError,
    DynaferryError,
    ItemRefusedError,
    RetryableError,
    ThrottledError,
)
from dynaferry.observe.request_stats import RequestOutcome
from dynaferry.observe.stats import TableStats
from dynaferry.ports import Page, PageSource

_log = logging.getLogger(__name__)


class MeasuredSource:
    """A `PageSource` that notes in `stats` how its requests go."""

    def __init__(
        self,
        source: PageSource,
        stats: TableStats,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._scans = stats.scans
        self._segments = stats.segments
        self._clock = clock

    @property
    def full_page_units(self) -> float:
        """The read units of a full page."""
        return self._source.full_page_units

    async def read_page(
        self, segment: int, exclusive_start_key: bytes | None, limit: int | None = None
    ) -> Page:
        """Reads one page, as the source does."""
        self._segments.begun(segment)
        began = self._clock()
        try:
            page = await self._source.read_page(segment, exclusive_start_key, limit)
        except DynaferryError as error:
            self._scans.note(outcome_of(error), self._clock() - began)
            _log.info("request failed", extra=_event("Scan", error) | {"segment": segment})
            raise
        self._scans.note("ok", self._clock() - began)
        return page


def note_failed_write(
    stats: TableStats, error: DynaferryError, items: Sequence[Raw], seconds: float
) -> None:
    """Notes in `stats` a BatchWriteItem of `items` that has failed after so many seconds."""
    stats.batch_writes.note(outcome_of(error), seconds)
    _log.info("request failed", extra=_event("BatchWriteItem", error))
    if isinstance(error, ItemRefusedError) and len(items) == 1:
        stats.note_rejection(f"{error.code}: {error.message}")


def outcome_of(error: DynaferryError) -> RequestOutcome:
    """How a request that raised `error` has ended."""
    if isinstance(error, ThrottledError):
        return "throttled"
    if isinstance(error, CorruptAnswerError):
        return "corrupt"
    if isinstance(error, RetryableError):
        return "unavailable"
    return "refused" if isinstance(error, ItemRefusedError) else "stopped"


def _event(operation: str, error: DynaferryError) -> dict[str, str]:
    """What the log is told: what kind of failure, and nothing that the service said of an item."""
    outcome, kind = outcome_of(error), type(error).__name__
    return {"operation": operation, "outcome": outcome, "error": getattr(error, "code", kind)}
