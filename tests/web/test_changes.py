"""What of a list goes with an update: never more than there is room for, and at last all of it."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from dynaferry.web.changes import Changes, Room

Entries = dict[int, str]
LONGEST = 30


def bytes_of(entries: list[tuple[int, str]]) -> int:
    return sum(len(msgspec.json.encode(entry)) + 1 for entry in entries)


def with_keys(entries: Entries) -> dict[int, tuple[int, str]]:
    return {key: (key, text) for key, text in entries.items()}


@given(
    st.lists(st.dictionaries(st.integers(0, 20), st.text(max_size=LONGEST // 6)), min_size=1),
    st.integers(1, 200),
)
def test_whatever_changes_a_page_has_it_all_at_last_and_each_update_is_small(
    states: list[Entries], most: int
) -> None:
    changes: Changes[int, tuple[int, str]] = Changes()
    page: Entries = {}
    for state in [*states, *[states[-1]] * 21]:
        taken = changes.take(with_keys(state), Room(most), most)
        assert len(taken) <= 1 or bytes_of(taken) <= most
        page |= dict(taken)
    assert {key: page[key] for key in states[-1]} == states[-1]


def test_what_waits_longest_goes_first() -> None:
    changes: Changes[int, tuple[int, str]] = Changes()
    sent: list[int] = []
    for update in range(6):
        state = with_keys({key: str(update) for key in range(3)})
        sent += [key for key, _ in changes.take(state, Room(6), 6)]
    assert sent == [0, 1, 2, 0, 1, 2]


def test_lists_share_the_room_and_a_room_that_was_too_small_says_so() -> None:
    room = Room(12)
    assert room.take([10, 11, 12], 6) == [10, 11]
    assert room.is_short
    room = Room(12)
    assert room.take([10, 11, 12], 9) == [10, 11, 12]
    assert not room.is_short
    assert room.take([13, 14], 100) == [13]


def test_what_was_sent_is_sent_again_only_if_it_is_another() -> None:
    changes: Changes[int, tuple[int, str]] = Changes()
    state = with_keys({1: "a", 2: "b"})
    assert changes.take(state, Room(), 99) == [(1, "a"), (2, "b")]
    assert changes.take(state, Room(), 99) == []
    assert changes.take(with_keys({1: "a", 2: "c"}), Room(), 99) == [(2, "c")]
