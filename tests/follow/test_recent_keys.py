"""The keys that changed last, and no more than so many."""

from hypothesis import given
from hypothesis import strategies as st

from dynaferry.follow.recent_keys import RecentKeys


def test_a_key_that_changes_again_is_there_once_and_first() -> None:
    keys = RecentKeys(3)
    keys.note([b"a", b"b"])
    keys.note([b"a"])
    assert keys.latest_first() == [b"a", b"b"]


@given(st.lists(st.lists(st.sampled_from([b"a", b"b", b"c", b"d", b"e"]))), st.integers(1, 4))
def test_it_holds_the_latest_of_different_keys(rounds: list[list[bytes]], most: int) -> None:
    keys = RecentKeys(most)
    for each in rounds:
        keys.note(each)
    wanted = list(dict.fromkeys(key for each in reversed(rounds) for key in reversed(each)))
    assert keys.latest_first() == wanted[:most]
    assert len(keys) == min(most, len(wanted))
