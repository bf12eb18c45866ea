"""Requests are counted and timed: a source that does it by itself, and what failed writes leave.

The source stands between the copy and the real one, behind the same port. Writes are too many for
a layer of their own: they are noted once for each group.
"""

import logging
import time
from collections.abc import Callable

from dynaferry.copy.batch_group import BatchGroup
from dynaferry.copy.settlement import OPERATION, Settlement
from dynaferry.errors import (
    CorruptAnswerError,
    DynaferryError,
    ItemRefusedError,
    RetryableError,
    ThrottledError,
)
from dynaferry.observe.limiting_factor import resource_in_words
from dynaferry.observe.request_stats import RequestOutcome
from dynaferry.observe.stats import TableStats
from dynaferry.ports import Page, PageSource
from dynaferry.shared.arn import resource_name
from dynaferry.throttle.attribution import ThrottleScope

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
        self._name = resource_name(stats.source)
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
            _log_failure("Scan", self._name, error, segment)
            raise
        self._scans.note("ok", self._clock() - began)
        self._segments.read(segment, len(page.items))
        return page


def note_writes(
    stats: TableStats, group: BatchGroup, settlement: Settlement, clock: Callable[[], float]
) -> None:
    """Notes in `stats` how the requests of a group went."""
    stats.write_requests += settlement.requests
    stats.write_units += settlement.consumed
    if group.seconds:
        stats.batch_writes.note_all("ok", group.seconds)
    if group.left is not None:
        stats.batch_writes.note("unprocessed", group.last_seconds)
        stats.unprocessed_items += len(group.left.unprocessed)
        stats.retried_requests += 1
        stats.throttled_at = clock()
    elif group.error is not None:
        _note_failed_write(stats, group.error, group, clock)
    scope = settlement.last.scope
    if scope is not None and (scope.undone_share or scope.resource is not None):
        stats.bottleneck = _in_words(scope)


def _note_failed_write(
    stats: TableStats, error: DynaferryError, group: BatchGroup, clock: Callable[[], float]
) -> None:
    stats.batch_writes.note(outcome_of(error), group.last_seconds)
    _log_failure(OPERATION, resource_name(stats.target), error)
    stats.retried_requests += isinstance(error, RetryableError)
    if isinstance(error, ThrottledError):
        stats.note_throttle(OPERATION, error.words)
        stats.throttled_at = clock()
    elif isinstance(error, ItemRefusedError) and len(group.last.items) == 1:
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


def _log_failure(
    operation: str, table: str, error: DynaferryError, segment: int | None = None
) -> None:
    """Logs what kind of failure it was, and nothing that the service said of an item."""
    if not _log.isEnabledFor(logging.INFO):  # there may be thousands a second
        return
    outcome, code = outcome_of(error), getattr(error, "code", type(error).__name__)
    words = error.words if isinstance(error, ThrottledError) else ()
    reason = " and ".join(sorted(set(words))) or code
    event = {"event": "request-failed", "operation": operation, "table": table}
    event |= {"outcome": outcome, "error": code, "reason": reason}
    where = {} if segment is None else {"segment": segment}
    _log.info("%s on %s %s: %s", operation, table, outcome, reason, extra={**event, **where})


def _in_words(scope: ThrottleScope) -> str:
    return resource_in_words(
        resource_name(scope.resource or ""),
        is_index=scope.is_index,
        is_table=scope.table,
        undone_share=scope.undone_share,
    )
