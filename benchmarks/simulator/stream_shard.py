"""One shard of a stream: records in order, which show late and are trimmed by their age. Pure.

A position in it is a number: the last record before it. So what was trimmed moves no position.
"""

from bisect import bisect_left, bisect_right
from typing import NamedTuple

PAGE_RECORDS = 1000  # [M:GetRecords]
PAGE_BYTES = 1024 * 1024  # or as much [M:GetRecords]
# The rest of what was trimmed is let go of in portions.
_LEAST_TRIMMED = 1000


class StreamRecord(NamedTuple):
    """A record: its sequence number, when it was written and shows, and what is answered."""

    number: int
    written_at: float
    shown_at: float
    body: bytes


class Shard:
    """A shard of the places from `low` to before `high`. Times are seconds of the simulator."""

    def __init__(
        self, shard_id: str, parent: str | None, places: tuple[int, int], *, now: float, number: int
    ) -> None:
        self.id = shard_id
        self.parent = parent
        self.low, self.high = places
        self.made_at = now
        self.starting = number
        self.closed_at: float | None = None
        self.ending: int | None = None
        # The last number that is gone: what is asked for behind an earlier one is refused.
        self.trimmed_to = number - 1
        # The last number that a page has held.
        self.given_to = number - 1
        self._numbers: list[int] = []
        self._records: list[StreamRecord] = []
        self._trimmed = 0

    def append(self, number: int, written_at: float, shown_at: float, body: bytes) -> None:
        """Adds a record, which shows behind those before it."""
        if self._records:
            shown_at = max(shown_at, self._records[-1].shown_at)
        self._numbers.append(number)
        self._records.append(StreamRecord(number, written_at, shown_at, body))

    def lose(self, since: float) -> None:
        """Forgets the records that were written after this moment, as if they had never been."""
        while self._records and self._records[-1].written_at > since:
            self._records.pop()
            self._numbers.pop()

    def close(self, now: float) -> None:
        """No record follows."""
        self.closed_at = now
        self.ending = self._numbers[-1] if self._numbers else max(self.starting, self.trimmed_to)

    @property
    def is_all_trimmed(self) -> bool:
        """Whether it had records and has none any more."""
        return self.trimmed_to >= self.starting and self._trimmed == len(self._records)

    @property
    def last_number(self) -> int:
        """The number of its last record, or of what stands before the first."""
        return self._numbers[-1] if self._numbers else self.trimmed_to

    def page(self, after: int, now: float, most_records: int) -> list[StreamRecord]:
        """What shows behind a position, as far as one page goes."""
        start = max(self._trimmed, bisect_right(self._numbers, after))
        end = min(len(self._records), start + most_records)
        page: list[StreamRecord] = []
        size = 0
        for record in self._records[start:end]:
            size += len(record.body)
            if record.shown_at > now or (page and size > PAGE_BYTES):
                break
            page.append(record)
        return page

    @property
    def unread(self) -> int:
        """How many records no page has held yet, that are there."""
        start = max(self._trimmed, bisect_right(self._numbers, self.given_to))
        return len(self._records) - start

    def is_read(self, after: int) -> bool:
        """Whether nothing will ever stand behind this position."""
        return self.ending is not None and after >= self.last_number

    def trim(self, before: float) -> None:
        """Drops the records that were written before."""
        end = bisect_left(self._records, before, key=_written_at)
        if end <= self._trimmed:
            return
        self.trimmed_to, self._trimmed = self._numbers[end - 1], end
        if end > _LEAST_TRIMMED:
            del self._numbers[:end], self._records[:end]
            self._trimmed = 0

    def is_gone(self, before: float) -> bool:
        """Whether no listing shows it any more: it was closed before."""
        return self.closed_at is not None and self.closed_at < before


def _written_at(record: StreamRecord) -> float:
    return record.written_at
