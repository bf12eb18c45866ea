from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaferry.copy.watermark import Watermark
from dynaferry.state.records import SegmentRecord

NOTHING = SegmentRecord(
    segment=4,
    pages=0,
    last_evaluated_key=None,
    complete=False,
    items_read=0,
    items_written=0,
    items_rejected=0,
    items_filtered=0,
    bytes_read=0,
)


def test_a_page_is_not_reached_before_its_last_item_is_acknowledged() -> None:
    watermark = Watermark(NOTHING)
    page = watermark.page_read(items=3, scanned=3, bytes_read=30, last_evaluated_key=b"k0")
    assert watermark.acknowledge(page, written=2) == 0
    assert watermark.record == NOTHING
    assert watermark.acknowledge(page, rejected=1) == 1
    assert watermark.record.last_evaluated_key == b"k0"
    assert (watermark.record.items_written, watermark.record.items_rejected) == (2, 1)


def test_a_page_is_not_reached_before_the_pages_in_front_of_it() -> None:
    watermark = Watermark(NOTHING)
    first = watermark.page_read(items=1, scanned=1, bytes_read=1, last_evaluated_key=b"k0")
    second = watermark.page_read(items=1, scanned=1, bytes_read=1, last_evaluated_key=b"k1")
    assert watermark.acknowledge(second, written=1) == 0
    assert watermark.record == NOTHING
    assert watermark.acknowledge(first, written=1) == 2
    assert watermark.record.last_evaluated_key == b"k1"


def test_only_a_page_without_a_key_completes_the_segment() -> None:
    watermark = Watermark(NOTHING)
    watermark.page_read(items=0, scanned=5, bytes_read=9, last_evaluated_key=b"k0")
    before = watermark.record
    watermark.page_read(items=0, scanned=0, bytes_read=9, last_evaluated_key=None)
    after = watermark.record
    assert (before.complete, after.complete) == (False, True)
    assert after.items_filtered == after.items_read == 5


def test_an_empty_page_does_not_pass_a_page_that_is_still_open() -> None:
    watermark = Watermark(NOTHING)
    first = watermark.page_read(items=1, scanned=1, bytes_read=1, last_evaluated_key=b"k0")
    watermark.page_read(items=0, scanned=0, bytes_read=1, last_evaluated_key=None)
    assert watermark.record == NOTHING
    watermark.acknowledge(first, written=1)
    assert watermark.record.complete


@pytest.mark.parametrize("page", [-1, 1, 7])
def test_a_page_that_is_not_open_cannot_be_acknowledged(page: int) -> None:
    watermark = Watermark(NOTHING)
    watermark.page_read(items=1, scanned=1, bytes_read=1, last_evaluated_key=b"k0")
    with pytest.raises(ValueError, match="not open"):
        watermark.acknowledge(page, written=1)


def test_more_items_than_the_page_has_cannot_be_acknowledged() -> None:
    watermark = Watermark(NOTHING)
    page = watermark.page_read(items=2, scanned=2, bytes_read=1, last_evaluated_key=b"k0")
    watermark.acknowledge(page, written=1)
    with pytest.raises(ValueError, match="1 items left, not 2"):
        watermark.acknowledge(page, written=1, rejected=1)


@dataclass
class ModelPage:
    """A page as the model sees it: how many items, and how many of them are settled, and how."""

    items: int
    filtered: int
    written: int = 0
    rejected: int = 0

    @property
    def settled(self) -> bool:
        return self.written + self.rejected == self.items


@dataclass
class Model:
    pages: list[ModelPage] = field(default_factory=list)

    def prefix(self) -> list[ModelPage]:
        reached = []
        for page in self.pages:
            if not page.settled:
                break
            reached.append(page)
        return reached


@given(data=st.data(), sizes=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=8))
def test_the_record_is_true_of_the_settled_prefix_in_every_order_of_acknowledgements(
    data: st.DataObject, sizes: list[tuple[int, int]]
) -> None:
    watermark, model, waiting = Watermark(NOTHING), Model(), list(sizes)
    while waiting or any(not page.settled for page in model.pages):
        unsettled = [n for n, page in enumerate(model.pages) if not page.settled]
        if waiting and (not unsettled or data.draw(st.booleans(), label="read on")):
            items, filtered = waiting.pop(0)
            watermark.page_read(
                items=items,
                scanned=items + filtered,
                bytes_read=10,
                last_evaluated_key=b"k%d" % len(model.pages) if waiting else None,
            )
            model.pages.append(ModelPage(items, filtered))
        else:
            number = data.draw(st.sampled_from(unsettled), label="page")
            page = model.pages[number]
            written = data.draw(st.integers(0, page.items - page.written - page.rejected))
            left = page.items - page.written - page.rejected - written
            rejected = data.draw(st.integers(0 if written else min(1, left), left))
            watermark.acknowledge(number, written=written, rejected=rejected)
            page.written += written
            page.rejected += rejected
        reached, record = model.prefix(), watermark.record
        assert record.pages == len(reached)
        assert record.items_written == sum(page.written for page in reached)
        assert record.items_rejected == sum(page.rejected for page in reached)
        assert record.items_filtered == sum(page.filtered for page in reached)
        assert record.items_read == (
            record.items_written + record.items_rejected + record.items_filtered
        )
        is_end = bool(reached) and len(reached) == len(sizes)
        assert record.complete == is_end
        if reached and not is_end:
            assert record.last_evaluated_key == b"k%d" % (len(reached) - 1)


def test_what_was_seen_and_what_is_settled_are_known_beyond_the_watermark() -> None:
    watermark = Watermark(NOTHING)
    first = watermark.page_read(items=3, scanned=4, bytes_read=30, last_evaluated_key=b"k0")
    second = watermark.page_read(items=5, scanned=5, bytes_read=30, last_evaluated_key=b"k1")
    watermark.acknowledge(second, written=2)
    assert (watermark.items_seen, watermark.items_settled) == (9, 3)
    watermark.acknowledge(first, written=3)
    assert (watermark.items_seen, watermark.items_settled) == (9, 6)
