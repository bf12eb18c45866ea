"""What a comparison came to, from what is stored of it."""

from typing import Any

import pytest

from dynaferry.verify.compare.multiset import Multiset
from dynaferry.verify.outcome import table_status, why_undecided
from dynaferry.verify.state.records import ComparisonTotals
from dynaferry.verify.stats import ComparisonStats

ONE, OTHER = Multiset(2, 7), Multiset(2, 8)
NOTHING = Multiset()


def totals(**counts: Any) -> ComparisonTotals:
    return ComparisonTotals(**{"segments_compared": 1, "matching": 2} | counts)


def complete() -> ComparisonStats:
    return ComparisonStats("orders", "orders-2", segments_total=1, state="complete")


@pytest.mark.parametrize(
    ("found", "source", "target", "reasons"),
    [
        (totals(), ONE, ONE, ()),
        (totals(in_flux=1, matching=1), ONE, OTHER, ("in_flux",)),
        (totals(), ONE, OTHER, ("digests_differ",)),
        (totals(), ONE, Multiset(3, 7), ("digests_differ",)),
        (totals(matching=1), ONE, ONE, ("digests_differ",)),
        (totals(settled_by_key=1), ONE, OTHER, ()),
        (totals(written=1, matching=1), ONE, OTHER, ()),
        (totals(overwritten=1, matching=1), ONE, OTHER, ("overwritten",)),
        (totals(unseen=1, matching=1), ONE, OTHER, ("unseen",)),
        (totals(matching=0), NOTHING, NOTHING, ()),
        (totals(segments_compared=0, matching=0), NOTHING, NOTHING, ("nothing_compared",)),
    ],
)
def test_what_is_not_proven_has_its_reason(
    found: ComparisonTotals, source: Multiset, target: Multiset, reasons: tuple[str, ...]
) -> None:
    assert why_undecided(found, source, target, is_sample=False) == reasons
    status = table_status(complete(), found, why_undecided(found, source, target, is_sample=False))
    assert status == ("undecided" if reasons else "equal")


def test_a_sample_that_holds_no_item_proves_nothing_and_empty_tables_are_equal() -> None:
    found = totals(matching=0)
    assert why_undecided(found, NOTHING, NOTHING, is_sample=True) == ("nothing_compared",)
    assert why_undecided(found, NOTHING, NOTHING, is_sample=False) == ()


def test_a_difference_comes_before_what_is_undecided() -> None:
    found = totals(in_flux=3, missing=1)
    reasons = why_undecided(found, ONE, OTHER, is_sample=False)
    assert table_status(complete(), found, reasons) == "different"
