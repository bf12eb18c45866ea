import random

from hypothesis import given
from hypothesis import strategies as st

from dynaferry.verify.compare.multiset import Multiset

digests = st.lists(st.binary(min_size=16, max_size=16), max_size=20)


@given(digests, st.randoms(use_true_random=False))
def test_order_does_not_matter(all_: list[bytes], pick: random.Random) -> None:
    assert Multiset.of(all_) == Multiset.of(pick.sample(all_, len(all_)))


@given(digests, digests)
def test_the_whole_is_the_sum_of_its_parts(one: list[bytes], other: list[bytes]) -> None:
    whole = Multiset.of(one + other)
    assert Multiset.of(one) + Multiset.of(other) == whole
    assert whole - Multiset.of(other) == Multiset.of(one)


@given(digests)
def test_it_is_written_as_32_digits_and_read_back(all_: list[bytes]) -> None:
    whole = Multiset.of(all_)
    assert len(whole.hexdigest) == 32
    assert Multiset.from_hex(whole.count, whole.hexdigest) == whole


@given(digests, st.binary(min_size=16, max_size=16))
def test_an_item_more_is_another_multiset(all_: list[bytes], more: bytes) -> None:
    assert Multiset.of([*all_, more]) != Multiset.of(all_)


def test_two_equal_items_do_not_cancel_out() -> None:
    assert Multiset.of([b"x" * 16] * 2) != Multiset()
