"""Capacity units from sizes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaferry.dynamodb.capacity import full_page_read_units, write_units


@pytest.mark.parametrize(
    ("size", "units"), [(1, 1), (1023, 1), (1024, 1), (1025, 2), (2048, 2), (400 * 1024, 400)]
)
def test_an_item_costs_a_write_unit_for_each_started_kilobyte(size: int, units: int) -> None:
    assert write_units([bytes(size)]) == units


@given(st.lists(st.integers(1, 5000)))
def test_items_are_rounded_up_one_by_one_and_then_summed(sizes: list[int]) -> None:
    alone = [write_units([bytes(size)]) for size in sizes]
    assert write_units(bytes(size) for size in sizes) == sum(alone)


def test_nothing_costs_nothing() -> None:
    assert write_units([]) == 0


def test_a_full_page_costs_twice_as_much_when_it_is_read_consistently() -> None:
    assert full_page_read_units(consistent_read=False) == 128
    assert full_page_read_units(consistent_read=True) == 256
