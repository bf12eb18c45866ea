"""What somebody else writes to the target before the switch is found, and nothing of ours is."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dynaferry.follow.own_writes import MOST_REMEMBERED, REMEMBERED_SECONDS, OwnWrites
from dynaferry.follow.spool_records import Waiting
from dynaferry.ports import ChangeKind
from tests.follow.changes import change, key_named

START = 1_800_000_000.0


def row(name: str) -> Waiting:
    record = change(name, 1)
    return Waiting(1, record.digest, record.key, 1, START, ChangeKind.PUT, record.image)


def test_a_key_that_was_not_sent_is_somebody_elses_and_one_that_was_is_ours() -> None:
    own = OwnWrites()
    own.begin(START)
    own.sent([row("ours")], START + 100.0)
    assert not own.seen([change("ours", 1, created_at=START + 100.0)], START + 101.0)
    assert own.foreign(START + 101.0) == []
    assert own.seen([change("theirs", 1, created_at=START + 100.0)], START + 101.0)
    assert not own.seen([change("more", 1, created_at=START + 100.0)], START + 102.0)  # not first
    assert own.foreign(START + 102.0) == [key_named("theirs"), key_named("more")]
    # Ten minutes after they have stopped it is as before.
    assert own.foreign(START + 103.0 + REMEMBERED_SECONDS) == []


def test_what_may_have_been_sent_before_anybody_noted_it_is_nobodys() -> None:
    own = OwnWrites()
    own.begin(START)
    own.seen([change("of a process before", 1, created_at=START + 60.0)], START + 61.0)
    assert own.foreign(START + 61.0) == []
    # Nor is what was sent so long ago, or so much before, that it is forgotten.
    own.sent([row("once")], START + 1.0)
    own.sent([row("now")], START + 700.0)
    own.seen([change("once", 1, created_at=START + 66.0)], START + 701.0)
    assert own.foreign(START + 701.0) == []


def test_nothing_is_said_of_what_was_written_before_it_follows() -> None:
    own = OwnWrites()
    assert not own.seen([change("copied", 1, created_at=START + 9_999.0)], START + 9_999.0)


def test_an_item_that_has_expired_was_written_by_nobody() -> None:
    own = OwnWrites()
    own.begin(START)
    gone = replace(change("gone", None, created_at=START + 100.0), is_expiry=True)
    own.seen([gone], START + 101.0)
    assert own.foreign(START + 101.0) == []


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abcdefgh"),
            st.floats(0.0, 900.0),  # when it is sent
            st.floats(0.0, 60.0),  # how much later it takes effect
            st.floats(0.0, 300.0),  # how much later the stream shows it
            st.sampled_from([1.0, 60.0]),  # what its time is rounded down to
        ),
        max_size=40,
    )
)
def test_nothing_that_was_sent_is_ever_foreign(
    writes: list[tuple[str, float, float, float, float]],
) -> None:
    own = OwnWrites()
    own.begin(START)
    events = []
    for name, at, lands, shown, rounded in writes:
        took_effect = START + at + lands
        created_at = took_effect - took_effect % rounded
        events.append((START + at, 0, name, 0.0))
        events.append((took_effect + shown, 1, name, created_at))
    for now, is_seen, name, created_at in sorted(events):
        if not is_seen:
            own.sent([row(name)], now)
        else:
            own.seen([change(name, 1, created_at=created_at)], now)
        assert own.foreign(now) == []
    assert len(events) < MOST_REMEMBERED
