"""Counters that must add up."""

from dynaferry.errors import ThrottledError
from dynaferry.observe.stats import MOST_REASONS, OTHER_REASONS, TableStats


def test_a_request_with_many_reasons_is_one_throttled_request() -> None:
    stats = TableStats("orders", "orders", 8)
    reasons = [("TableWrite", "arn"), ("IndexWrite", "arn"), ("TableWrite", "arn")]
    stats.note_throttle("BatchWriteItem", ThrottledError("", code="T", reasons=reasons).words)
    stats.note_throttle("Scan", ThrottledError("", code="ThrottlingException").words)
    assert stats.throttles == {
        ("BatchWriteItem", "IndexWrite and TableWrite"): 1,
        ("Scan", "ThrottlingException"): 1,
    }
    assert stats.throttled_requests == 2
    assert stats.throttled("Scan") == stats.throttled("BatchWriteItem") == 1


def test_reasons_are_never_without_bound_and_always_add_up() -> None:
    stats = TableStats("orders", "orders", 8)
    for number in range(MOST_REASONS * 3):
        stats.note_throttle("Scan", [f"reason {number}"])
    assert len(stats.throttles) == MOST_REASONS + 1
    assert stats.throttles["Scan", OTHER_REASONS] == MOST_REASONS * 2
    assert sum(stats.throttles.values()) == stats.throttled_requests
