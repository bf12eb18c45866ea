"""Every state of the protocol, for two segments of three pages of two batches, and two crashes."""

import pytest

from tests.model.protocol import (
    PAGES,
    REFUSED,
    Place,
    Protocol,
    Record,
    Segment,
    counted,
    explore,
)


def test_no_state_that_can_be_reached_breaks_an_invariant_or_is_stuck() -> None:
    found = explore(Protocol())
    assert found.violations == ()
    # Neither is the search empty, nor does it miss the end.
    assert found.states > 300_000
    assert found.complete > 100


class AcknowledgesBeforeItIsKept(Protocol):
    may_acknowledge = ("waiting", "kept")


class StoresLettersAfterAcknowledging(Protocol):
    """Only the refused batch is acknowledged too early."""

    may_acknowledge = ("waiting", "kept")

    def acknowledge(self, segment: Segment, place: Place) -> Segment:
        if place not in segment.kept and place != REFUSED:
            return segment
        return super().acknowledge(segment, place)


class LeapsOverAGap(Protocol):
    """A settled page moves the watermark, whatever stands before it."""

    def advance(self, segment: Segment) -> Segment:
        settled = [page for page in segment.open_pages if set(page) == {"acknowledged"}]
        for page in settled:
            pages = list(segment.open_pages)
            pages.remove(page)
            segment = segment._replace(record=counted(segment.record), open_pages=tuple(pages))
        return segment


class StoresWhatIsRead(Protocol):
    """A checkpoint of how far the reader is."""

    def begin_checkpoint(self, segment: Segment) -> Segment:
        record = segment.record
        while record.pages < segment.pages_read:
            record = counted(record)
        return segment._replace(taken=record)


class CountsOnAfterACrash(Protocol):
    """The counters of a crashed attempt are taken along, the pages are read again."""

    def crash_and_resume(self, segment: Segment) -> Segment:
        counts = segment.record
        resumed = super().crash_and_resume(segment)
        pages = resumed.record.pages
        return resumed._replace(record=Record(pages, counts.written, counts.rejected))


class StoresOnePageMore(Protocol):
    """A checkpoint that is off by one."""

    def end_checkpoint(self, segment: Segment) -> Segment:
        return segment._replace(
            stored=counted(segment.stored) if segment.stored.pages < PAGES else segment.stored,
            taken=None,
        )


@pytest.mark.parametrize(
    "broken",
    [
        AcknowledgesBeforeItIsKept,
        StoresLettersAfterAcknowledging,
        LeapsOverAGap,
        StoresWhatIsRead,
        CountsOnAfterACrash,
        StoresOnePageMore,
    ],
)
def test_a_broken_protocol_is_caught(broken: type[Protocol]) -> None:
    assert explore(broken()).violations
