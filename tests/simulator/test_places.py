from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.simulator.places import (
    SPACE,
    KeySpace,
    place_of,
    scatter,
    segment_bounds,
    synthetic_key,
)

PLACES = st.integers(0, SPACE - 1)


@given(PLACES)
def test_a_synthetic_key_lies_where_it_says(place: int) -> None:
    assert place_of(synthetic_key(place)) == place


@pytest.mark.parametrize("key", ["", "customer-1", "@", "@not-sixteen-hexa", "ключ"])
def test_any_other_key_has_a_place_too_and_always_the_same(key: str) -> None:
    assert 0 <= place_of(key) < SPACE
    assert place_of(key) == place_of(str(key))


def test_keys_spread_evenly_over_partitions() -> None:
    space = KeySpace(10)
    counts = Counter(space.partition_of(place_of(f"customer-{i}")) for i in range(10_000))
    assert len(counts) == 10
    assert min(counts.values()) > 850
    assert max(counts.values()) < 1150


@given(st.integers(1, 100_000), PLACES)
def test_every_place_is_in_exactly_one_segment(total: int, place: int) -> None:
    segment = place * total // SPACE
    first, end = segment_bounds(segment, total)
    assert first <= place < end
    if segment > 0:
        assert segment_bounds(segment - 1, total)[1] == first
    assert segment_bounds(total - 1, total)[1] == SPACE


@given(PLACES, st.integers(1, 500))
def test_a_split_in_two_keeps_neighbours_in_order(place: int, count: int) -> None:
    space = KeySpace(count)
    before = space.partition_of(place)
    space.grow_to(2 * count)
    assert space.partition_of(place) // 2 == before


def test_partitions_are_never_merged() -> None:
    space = KeySpace(8)
    space.grow_to(4)
    assert space.count == 8


@given(st.lists(PLACES, unique=True, max_size=50))
def test_different_places_scatter_to_different_places(places: list[int]) -> None:
    assert len({scatter(place) for place in places}) == len(places)
