"""Late writes: each write behind the switch is noted and kept, and nothing else is."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynaferry.errors import StateError
from dynaferry.follow import spool_late_writes
from dynaferry.follow.late_writes import late_writes_of, pages_of_late_writes
from dynaferry.follow.lineage import Gap
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.spool_late_writes import LateWrite
from dynaferry.follow.spool_records import arrivals_of
from dynaferry.ports import ChangeKind, ChangeRecord
from dynaferry.state.directory import spool_path
from tests.follow.changes import change, image_of, key_named

RUN = "orders"
PUT, DELETE, AGAIN = ChangeKind.PUT, ChangeKind.DELETE, ChangeKind.READ_AGAIN


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return spool_path(tmp_path, RUN, 0)


@pytest.fixture
def spool(path: Path) -> Iterator[SpoolFile]:
    opened = SpoolFile.create(path, "id")
    yield opened
    opened.close()


def begin(spool: SpoolFile, at: float = 100.0) -> None:
    spool.change(partial(spool_late_writes.begin, at=at))


def end(spool: SpoolFile, *, forget: bool) -> None:
    spool.change(partial(spool_late_writes.end, forget=forget))


def store(spool: SpoolFile, now: float, *changes: ChangeRecord, keys_only: bool = False) -> None:
    spool.store(changes, (), now, keys_only=keys_only)


def expired(name: str) -> ChangeRecord:
    return change(name, None, is_expiry=True)


def all_late(state_dir: Path, page: int = 2) -> list[LateWrite]:
    return [late for found in pages_of_late_writes(state_dir, RUN, 0, page) for late in found]


def told(late: LateWrite) -> tuple[bytes, ChangeKind, bytes | None, int]:
    return late.key, late.kind, late.image, late.writes


def test_what_comes_behind_the_switch_is_late_with_all_its_writes_and_its_newest_item(
    spool: SpoolFile, tmp_path: Path
) -> None:
    store(spool, 90.0, change("before", 1))
    spool.applied(arrivals_of(spool.waiting(0, 9)), 91.0)
    begin(spool)
    store(spool, 101.0, change("a", 1), change("b", 1))
    store(spool, 103.0, change("a", 2), change("c", None))
    store(spool, 104.0, change("d", 1, view="KEYS_ONLY"))
    assert [told(late) for late in all_late(tmp_path)] == [
        (key_named("a"), PUT, image_of("a", 2), 2),
        (key_named("b"), PUT, image_of("b", 1), 1),
        (key_named("c"), DELETE, None, 1),
        (key_named("d"), AGAIN, None, 1),
    ]
    first = all_late(tmp_path)[0]
    assert (first.first_at, first.last_at) == (101.0, 103.0)
    assert spool.counts().late_writes == 4
    known = late_writes_of(tmp_path, RUN, 0)
    assert (known.keys, known.expired, known.watched_since, known.lost) == (4, 0, 100.0, ())


def test_what_had_expired_is_counted_apart_and_hides_no_late_write(
    spool: SpoolFile, tmp_path: Path
) -> None:
    begin(spool)
    store(spool, 101.0, expired("a"), change("b", 1))
    store(spool, 102.0, expired("b"), expired("c"))
    store(spool, 103.0, change("c", 5))
    assert [told(late) for late in all_late(tmp_path)] == [
        (key_named("b"), PUT, image_of("b", 1), 1),
        (key_named("c"), PUT, image_of("c", 5), 1),
    ]
    counts = spool.counts()
    assert (counts.late_writes, counts.expired, counts.waiting) == (2, 3, 3)


def test_what_waits_when_it_begins_is_late_as_nothing_applies_it(
    spool: SpoolFile, tmp_path: Path
) -> None:
    store(spool, 99.0, change("a", 1))
    begin(spool)
    begin(spool, at=200.0)  # as a process after a crash does
    store(spool, 201.0, change("a", 2))
    assert [told(late) for late in all_late(tmp_path)] == [
        (key_named("a"), PUT, image_of("a", 2), 2)
    ]
    assert late_writes_of(tmp_path, RUN, 0).watched_since == 100.0


def test_what_came_before_nothing_was_switched_is_forgotten(
    spool: SpoolFile, tmp_path: Path
) -> None:
    begin(spool)
    store(spool, 101.0, change("a", 1), expired("b"))
    end(spool, forget=True)
    store(spool, 102.0, change("c", 1))
    spool.applied(arrivals_of(spool.waiting(0, 9)), 103.0)
    assert all_late(tmp_path) == []
    assert (spool.counts().late_writes, spool.counts().expired) == (0, 0)
    begin(spool)
    store(spool, 104.0, change("d", 1))
    assert [late.key for late in all_late(tmp_path)] == [key_named("d")]


def test_a_later_attempt_in_vain_forgets_nothing_of_an_earlier_switch(
    spool: SpoolFile, tmp_path: Path
) -> None:
    begin(spool)
    store(spool, 101.0, change("a", 1))
    end(spool, forget=False)  # it went back
    store(spool, 102.0, change("b", 1))
    spool.applied(arrivals_of(spool.waiting(0, 9)), 103.0)
    begin(spool, at=200.0)
    store(spool, 201.0, change("c", 1), expired("d"))
    end(spool, forget=True)
    assert [late.key for late in all_late(tmp_path)] == [key_named("a")]
    assert (spool.counts().late_writes, spool.counts().expired) == (1, 0)


def test_what_is_applied_after_a_way_back_stays_a_late_write(
    spool: SpoolFile, tmp_path: Path
) -> None:
    begin(spool)
    store(spool, 101.0, change("a", 1))
    end(spool, forget=False)
    spool.applied(arrivals_of(spool.waiting(0, 9)), 102.0)
    assert spool.counts().waiting == 0
    assert [told(late)[:3] for late in all_late(tmp_path)] == [
        (key_named("a"), PUT, image_of("a", 1))
    ]


def test_a_key_that_is_read_again_for_a_doubt_was_written_by_nobody(
    spool: SpoolFile, tmp_path: Path
) -> None:
    store(spool, 90.0, change("a", 1))
    spool.add_doubts(spool.waiting(0, 9), 95.0)
    spool.applied(arrivals_of(spool.waiting(0, 9)), 91.0)
    begin(spool)
    assert spool.revisit_doubts(101.0) == 1
    assert all_late(tmp_path) == []


def test_the_next_process_goes_on_noting_from_its_first_record_on(
    path: Path, tmp_path: Path
) -> None:
    first = SpoolFile.create(path, "id")
    begin(first)
    first.close()
    then = SpoolFile.open(path, "id")
    assert then is not None
    store(then, 101.0, expired("a"), change("b", 1))
    then.close()
    assert [late.key for late in all_late(tmp_path)] == [key_named("b")]
    assert late_writes_of(tmp_path, RUN, 0).expired == 1


def test_over_its_budget_a_spool_keeps_the_key_and_no_item(
    spool: SpoolFile, tmp_path: Path
) -> None:
    begin(spool)
    store(spool, 101.0, change("a", 1), keys_only=True)
    assert [told(late) for late in all_late(tmp_path)] == [(key_named("a"), AGAIN, None, 1)]


def test_records_that_were_lost_behind_the_switch_are_told(
    spool: SpoolFile, tmp_path: Path
) -> None:
    spool.store((), (), 50.0, gaps=[Gap("", "of before")])
    begin(spool)
    spool.store((), (), 150.0, gaps=[Gap("", "the stream was trimmed")])
    assert late_writes_of(tmp_path, RUN, 0).lost == ("the stream was trimmed",)


def test_that_late_writes_leave_no_record_is_told(spool: SpoolFile, tmp_path: Path) -> None:
    spool.change(partial(spool_late_writes.begin, at=100.0, unseen="the stream was disabled"))
    assert late_writes_of(tmp_path, RUN, 0).lost == ("the stream was disabled",)
    end(spool, forget=True)
    begin(spool, at=200.0)
    assert late_writes_of(tmp_path, RUN, 0).lost == ()


def test_a_spool_that_never_watched_or_is_gone_has_none(spool: SpoolFile, tmp_path: Path) -> None:
    store(spool, 1.0, change("a", 1))
    for table in (0, 1):
        assert late_writes_of(tmp_path, RUN, table).watched_since is None
        assert list(pages_of_late_writes(tmp_path, RUN, table, 9)) == []


@pytest.mark.parametrize(
    "damage",
    [
        "image = x'7b7d'",
        "key = x'7b7d'",
        "kind = 1",
        "kind = 2",
        "kind = 7",
        "checksum = checksum + 1",
        "image = NULL",
        "image = 'text'",
    ],
)
def test_a_late_write_that_a_disk_has_changed_is_told_and_not_given(
    spool: SpoolFile, path: Path, tmp_path: Path, damage: str
) -> None:
    begin(spool)
    store(spool, 101.0, change("a", 1))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE late_writes SET " + damage)  # noqa: S608  # ours
    with pytest.raises(StateError, match="damaged"):
        all_late(tmp_path)


@settings(max_examples=25)
@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["put", "delete", "expired"])),
        max_size=12,
    ),
    st.integers(0, 12),
)
def test_of_any_history_exactly_the_writes_behind_the_switch_are_late(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[str, str]], switched_at: int
) -> None:
    state_dir = tmp_path_factory.mktemp("spool")
    spool = SpoolFile.create(spool_path(state_dir, RUN, 0), "id")
    for number, (name, what) in enumerate(history):
        if number == switched_at:
            spool.applied(arrivals_of(spool.waiting(0, 99)), 0.0)
            begin(spool)
        made = (
            expired(name) if what == "expired" else change(name, number if what == "put" else None)
        )
        store(spool, float(number), made)
    spool.close()
    late = [(name, what) for name, what in history[switched_at:] if what != "expired"]
    found = {late.key: late for late in all_late(state_dir)}
    assert set(found) == {key_named(name) for name, _ in late}
    for name in {name for name, _ in late}:
        writes = [what for of, what in late if of == name]
        assert found[key_named(name)].writes == len(writes)
        assert (found[key_named(name)].kind == PUT) == (writes[-1] == "put")
    is_watched = switched_at < len(history)
    dead = sum(what == "expired" for _, what in history[switched_at:]) if is_watched else 0
    assert late_writes_of(state_dir, RUN, 0).expired == dead
