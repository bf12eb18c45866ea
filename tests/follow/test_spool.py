"""The spool's real file: what waits, what it counts, and what a crash or a full disk leaves."""

import asyncio
import os
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dynaferry.errors import StateError, StateWriteError
from dynaferry.follow.lineage import Gap, Position, ShardState
from dynaferry.follow.spool import Spool
from dynaferry.follow.spool_connection import SpoolDamagedError, SpoolLostError
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.spool_records import Letter, Waiting, arrivals_of
from dynaferry.follow.table import open_spool
from dynaferry.follow.timed_count import TimedCount
from dynaferry.ports import ChangeKind
from tests.follow.changes import change, image_of, key_named
from tests.follow.spool_kill_child import CHANGES_AT_ONCE, KEYS, SPOOL_ID

Result = TypeVar("Result")

MORE_THAN_FIT = 10_000
WIDEST = 10**39 + 7  # sequence numbers have up to 40 digits


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orders.spool.sqlite"


@pytest.fixture
def spool(path: Path) -> Iterator[SpoolFile]:
    opened = SpoolFile.create(path, "id")
    yield opened
    opened.close()


def waiting(spool: SpoolFile) -> list[tuple[bytes, ChangeKind, bytes | None]]:
    return [(row.key, row.kind, row.image) for row in spool.waiting(0, 1000)]


def assert_adds_up(spool: SpoolFile) -> None:
    counts = spool.counts()
    assert counts.captured == (
        counts.applied + counts.compacted + counts.waiting + counts.rejected
    ), counts


# What waits --------------------------------------------------------------------------------------


def test_the_newest_of_a_key_waits_in_the_place_of_its_first(spool: SpoolFile) -> None:
    spool.store([change("a", 1), change("b", 2)], [], 10.0)
    spool.store([change("a", 3), change("c", None), change("a", 4)], [], 20.0)
    assert waiting(spool) == [
        (key_named("a"), ChangeKind.PUT, image_of("a", 4)),
        (key_named("b"), ChangeKind.PUT, image_of("b", 2)),
        (key_named("c"), ChangeKind.DELETE, None),
    ]
    counts = spool.counts()
    assert (counts.captured, counts.compacted, counts.waiting, counts.oldest_at) == (5, 2, 3, 10.0)


def test_what_is_applied_goes_unless_something_newer_of_its_key_has_arrived(
    spool: SpoolFile,
) -> None:
    spool.store([change("a", 1), change("b", 1)], [], 10.0)
    sent = spool.waiting(0, 10)
    # It looks like what was sent, and is something newer all the same.
    spool.store([change("a", 1), change("c", 1)], [], 30.0)
    assert spool.applied(arrivals_of(sent), 20.0) == 1
    rows = spool.waiting(0, 10)
    assert [row.key for row in rows] == [key_named("a"), key_named("c")]
    # What came meanwhile has the place of its own arrival, and is as old as the request.
    assert rows[0].number == rows[0].arrival == 3
    assert (rows[0].first_at, spool.counts().oldest_at) == (20.0, 20.0)
    assert_adds_up(spool)
    assert spool.applied(arrivals_of(rows), 40.0) == 2
    assert waiting(spool) == []
    assert_adds_up(spool)


def test_a_key_that_changes_all_the_time_goes_behind_the_others(spool: SpoolFile) -> None:
    spool.store([change("hot", 1), change("cold", 1)], [], 0.0)
    (hot,) = spool.waiting(0, 1)
    spool.store([change("hot", 2)], [], 1.0)
    spool.applied(arrivals_of([hot]), 0.5)
    assert [row.key for row in spool.waiting(0, 10)] == [key_named("cold"), key_named("hot")]


def test_a_refused_image_is_a_key_to_read_again_unless_it_is_out_of_date(spool: SpoolFile) -> None:
    spool.store([change("a", 1), change("b", 1)], [], 0.0)
    sent = spool.waiting(0, 10)
    spool.store([change("b", 2)], [], 1.0)
    spool.read_again(sent)
    assert waiting(spool) == [
        (key_named("a"), ChangeKind.READ_AGAIN, None),
        (key_named("b"), ChangeKind.PUT, image_of("b", 2)),
    ]
    assert spool.counts().read_again == 1


def test_with_keys_only_no_image_is_kept_and_deletes_stay_deletes(spool: SpoolFile) -> None:
    spool.store([change("a", 1), change("b", None)], [], 0.0, keys_only=True)
    assert waiting(spool) == [
        (key_named("a"), ChangeKind.READ_AGAIN, None),
        (key_named("b"), ChangeKind.DELETE, None),
    ]
    # An image that waits is out of date: it does not stay.
    spool.store([change("c", 1)], [], 0.0)
    spool.store([change("c", 2)], [], 0.0, keys_only=True)
    assert waiting(spool)[-1] == (key_named("c"), ChangeKind.READ_AGAIN, None)


def test_the_oldest_images_are_dropped_first(spool: SpoolFile) -> None:
    spool.store([change("a", None), change("b", 1), change("c", 1), change("d", 1)], [], 0.0)
    assert spool.drop_images(2) == 2
    assert [kind for _, kind, _ in waiting(spool)] == [
        ChangeKind.DELETE,
        ChangeKind.READ_AGAIN,
        ChangeKind.READ_AGAIN,
        ChangeKind.PUT,
    ]
    assert (spool.drop_images(9), spool.drop_images(9)) == (1, 0)


def test_a_gap_makes_every_image_a_key_to_read_again_what_came_with_it_as_well(
    spool: SpoolFile,
) -> None:
    spool.store([change("a", 1), change("b", None)], [], 0.0)
    gaps = [Gap("s1", "one"), Gap("s2", "two")]
    spool.store([change("c", 1)], [], 1.0, gaps=gaps)
    assert {kind for _, kind, _ in waiting(spool)} == {ChangeKind.READ_AGAIN}
    spool.store([change("b", 2)], [], 2.0)
    assert waiting(spool)[1] == (key_named("b"), ChangeKind.PUT, image_of("b", 2))
    assert spool.open_gaps() == [(1, gaps[0]), (2, gaps[1])]
    spool.mend_gaps(1, 3.0)
    assert spool.open_gaps() == [(2, gaps[1])]
    assert spool.counts().open_gaps == 1


def test_a_doubt_is_a_key_to_read_again_once_no_write_can_be_on_its_way(spool: SpoolFile) -> None:
    spool.store([change("a", 1), change("b", 1)], [], 0.0)
    one, other = sent = spool.waiting(0, 10)
    spool.add_doubts([one], 60.0)
    spool.add_doubts(sent, 50.0)
    spool.applied(arrivals_of(sent), 0.0)
    assert (spool.counts().doubts, spool.revisit_doubts(49.0)) == (2, 0)
    assert spool.revisit_doubts(50.0) == 1
    assert waiting(spool) == [(other.key, ChangeKind.READ_AGAIN, None)]
    # The later of two deadlines holds.
    assert (spool.counts().doubts, spool.revisit_doubts(60.0), spool.counts().doubts) == (1, 1, 0)
    assert_adds_up(spool)


def test_another_stream_begins_with_its_own_shards_and_what_waits_stays(spool: SpoolFile) -> None:
    spool.begin("arn:one", 5.0, [Position("old", None, ShardState.DONE, WIDEST)])
    spool.store([change("a", 1)], [], 6.0, alive_at=6.0)
    gap = Gap("", "the table has another stream now")
    spool.begin("arn:two", 7.0, [Position("new", "old", since=7.0)], [gap])
    assert spool.positions() == [Position("new", "old", since=7.0)]
    origin = spool.origin()
    assert (origin.stream, origin.begun_at, origin.alive_at) == ("arn:two", 7.0, 7.0)
    assert waiting(spool) == [(key_named("a"), ChangeKind.READ_AGAIN, None)]
    assert spool.open_gaps() == [(1, gap)]


def test_only_who_reads_the_stream_says_that_it_was_alive(spool: SpoolFile) -> None:
    spool.begin("arn", 1.0)
    spool.add_doubts([Waiting(1, b"d", key_named("a"), 1, 0.0, ChangeKind.PUT, None)], 2.0)
    assert spool.revisit_doubts(9.0) == 1
    assert spool.origin().alive_at == 1.0
    spool.store([], [], 10.0, alive_at=8.0)
    assert spool.origin().alive_at == 8.0


def test_positions_are_kept_with_numbers_of_forty_digits(spool: SpoolFile, path: Path) -> None:
    positions = [
        Position("one", None, ShardState.DONE, WIDEST, WIDEST, 3.5),
        Position("two", "one", ShardState.UNREAD, None, None, 4.0),
    ]
    spool.store([], positions, 0.0)
    positions[1].sequence = WIDEST + 1
    spool.store([], positions[1:], 1.0)
    spool.close()
    reopened = SpoolFile.open(path, "id")
    assert reopened is not None
    assert reopened.positions() == positions
    reopened.close()


# The file ----------------------------------------------------------------------------------------


def test_a_missing_spool_is_not_an_error_but_nothing(path: Path) -> None:
    assert SpoolFile.open(path, "id") is None
    assert not path.exists()


def test_nobody_else_may_read_the_file_or_its_log(spool: SpoolFile, path: Path) -> None:
    spool.store([change("a", 1)], [], 0.0)
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == [path.name, f"{path.name}-shm", f"{path.name}-wal"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_spool_of_another_move_is_never_opened(spool: SpoolFile, path: Path) -> None:
    with pytest.raises(SpoolLostError, match="another move"):
        SpoolFile.open(path, "another")
    with pytest.raises(StateError, match="cannot be made: File exists"):
        SpoolFile.create(path, "another")


def changed(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("PRAGMA application_id = 9", "not a spool"),
        ("DELETE FROM spool", "damaged"),
        ("DROP TABLE changes", "damaged"),
    ],
)
def test_a_file_that_is_no_spool_of_ours_is_a_spool_that_is_lost(
    spool: SpoolFile, path: Path, statement: str, words: str
) -> None:
    spool.close()
    changed(path, statement)
    with pytest.raises(SpoolLostError, match=words):
        SpoolFile.open(path, "id")


def test_a_spool_of_a_later_version_is_refused_and_left_as_it_is(
    spool: SpoolFile, path: Path
) -> None:
    spool.close()
    changed(path, "PRAGMA user_version = 9")
    with pytest.raises(StateError, match="version 9") as raised:
        SpoolFile.open(path, "id")
    assert not isinstance(raised.value, SpoolLostError)


def test_a_damaged_file_is_a_spool_that_is_lost(spool: SpoolFile, path: Path) -> None:
    spool.store([change(f"k{n}", n) for n in range(500)], [], 0.0)
    spool.close()
    whole = path.read_bytes()
    for damage in (
        b"nothing",
        whole[:50],
        b"\xa5" * len(whole),
        whole[:4096] + b"\xa5" * (len(whole) - 4096),
    ):
        path.write_bytes(damage)
        with pytest.raises(SpoolLostError, match=r"spool .* damaged|not a spool"):
            SpoolFile.open(path, "id")


def test_a_directory_in_its_place_is_refused(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StateError, match="cannot be read"):
        SpoolFile.open(path, "id")


def opened(path: Path, step: Callable[[SpoolFile], Result]) -> Result:
    """Opens the spool as a move that goes on does, and does one thing with it."""

    async def story() -> Result:
        async with open_spool(path, "id", is_new=False) as spool:
            return await spool.run(step)

    return asyncio.run(story())


def told(spool: SpoolFile) -> tuple[list[str], bool, int]:
    """The gaps, whether it was left clean, and what it has captured."""
    gaps = [gap.why for _, gap in spool.open_gaps()]
    return gaps, spool.is_clean(), spool.counts().captured


@pytest.mark.parametrize("how", ["missing", "damaged", "another move"])
def test_a_lost_spool_makes_room_for_one_that_begins_with_a_gap_however_that_ends(
    path: Path, how: str
) -> None:
    if how != "missing":
        made = SpoolFile.create(path, "id" if how == "damaged" else "another")
        made.store([change("a", 1)], [], 1.0)
        made.close()
    if how == "damaged":
        path.write_bytes(path.read_bytes()[:4096] + b"\xa5" * 4096)
    before = [] if how == "missing" else [path.read_bytes()]
    # The process may be killed as soon as the file is there: the next one finds it whole.
    for _ in range(2):
        (gap,), is_clean, captured = opened(path, told)
        assert how in gap
        # What the lost one knew of writes on their way nobody knows any more.
        assert not is_clean
        assert captured == 0
    assert [file.read_bytes() for file in path.parent.glob("*.old")] == before


def test_a_whole_spool_is_opened_as_it_is(spool: SpoolFile, path: Path) -> None:
    spool.store([change("a", 1)], [], 1.0)
    spool.close()
    assert opened(path, told) == ([], True, 1)


def test_a_spool_that_is_damaged_while_it_is_used_stops_and_is_lost_with_the_next_start(
    path: Path,
) -> None:
    made = SpoolFile.create(path, "id")
    made.store([change(f"k{n}", n) for n in range(500)], [], 0.0)
    made.close()

    def damaged(spool: SpoolFile) -> list[Waiting]:
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xa5" * (path.stat().st_size - 4096))
        return spool.waiting(0, 1000)

    with pytest.raises(SpoolDamagedError, match="damaged") as raised:
        opened(path, damaged)
    assert "every key is compared" in (raised.value.hint or "")
    assert len(opened(path, told)[0]) == 1


def test_what_a_spool_that_is_gone_has_left_is_no_part_of_a_new_one(path: Path) -> None:
    old = SpoolFile.create(path, "id")
    old.store([change("a", 1)], [], 0.0)
    logs = [Path(f"{path}-wal"), Path(f"{path}-shm")]
    kept = {log: log.read_bytes() for log in logs}
    old.close()
    path.unlink()
    for log, content in kept.items():
        log.write_bytes(content)
    path.with_name(f"{path.name}.new").write_bytes(b"killed while it was made")
    new = SpoolFile.create(path, "id")
    assert (waiting(new), new.counts().captured) == ([], 0)
    new.close()


@contextmanager
def no_file_larger_than(most_bytes: int) -> Iterator[None]:
    """The kernel refuses to write beyond, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_spool_that_cannot_be_made_for_a_full_disk_is_made_later(path: Path) -> None:
    with no_file_larger_than(8192), pytest.raises(StateError, match="cannot be made"):
        SpoolFile.create(path, "id")
    assert SpoolFile.open(path, "id") is None
    SpoolFile.create(path, "id").close()


def store_one(spool: SpoolFile, number: int) -> bool:
    position = Position("shard", None, sequence=number)
    try:
        spool.store([change(f"k{number}", number)], [position], float(number))
    except StateWriteError:
        return False
    return number < MORE_THAN_FIT


def test_a_full_disk_is_told_and_loses_nothing(spool: SpoolFile, path: Path) -> None:
    stored = 0
    with no_file_larger_than(200 * 1024):
        while store_one(spool, stored):
            stored += 1
        assert 0 < stored < MORE_THAN_FIT
        for attempt in (spool, SpoolFile.open(path, "id")):
            assert attempt is not None
            counts = attempt.counts()
            assert (counts.captured, counts.waiting) == (stored, stored)
            assert [p.sequence for p in attempt.positions()] == [stored - 1]
            assert len(attempt.waiting(0, 10_000)) == stored
    spool.store([change("more", 1)], [Position("shard", None, sequence=stored)], 0.0)
    assert spool.counts().waiting == stored + 1
    assert attempt is not None
    attempt.close()


def test_killed_in_the_midst_of_stores_positions_and_rows_agree(tmp_path: Path) -> None:
    path = tmp_path / "killed.spool.sqlite"
    sequence = 0
    for stores in (3, 1, 20, 8, 60):
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.follow.spool_kill_child", str(path)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )
        assert child.stdout is not None
        assert len(child.stdout.read(stores)) == stores
        time.sleep(stores % 7 / 1000)
        child.kill()
        child.stdout.close()
        assert child.wait() == -signal.SIGKILL
        spool = SpoolFile.open(path, SPOOL_ID)
        assert spool is not None
        (position,) = spool.positions()
        # All of a transaction or nothing of it, and nothing that had been stored is missing.
        assert position.sequence is not None
        assert position.sequence >= sequence + stores * CHANGES_AT_ONCE
        sequence = position.sequence
        assert_adds_up(spool)
        assert spool.counts().captured == sequence
        for row in spool.waiting(0, 1000):
            newest = max(n for n in range(1, sequence + 1) if key_named(f"k{n % KEYS}") == row.key)
            assert (row.image, row.arrival) == (image_of(f"k{newest % KEYS}", newest), newest)
        spool.close()


async def test_what_is_asked_of_a_spool_runs_in_turn_on_a_thread_of_its_own(path: Path) -> None:
    spool = await Spool.opened_by(lambda: SpoolFile.create(path, "id"))
    await spool.run(lambda file: file.store([change("a", 1)], [], 0.0))
    assert (await spool.run(SpoolFile.counts)).waiting == 1
    await spool.aclose()
    with pytest.raises(RuntimeError):
        await spool.run(SpoolFile.counts)


# Any sequence of operations ----------------------------------------------------------------------

NAMES = ("a", "b", "c", "d", "e")
names = st.sampled_from(NAMES)
versions = st.none() | st.integers(0, 9)
MORE = st.lists(st.tuples(names, versions), min_size=1, max_size=6)


class SpoolMachine(RuleBasedStateMachine):
    """A list of what waits, kept beside the file by plain code."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.path = self.directory / "spool.sqlite"
        self.spool = SpoolFile.create(self.path, "id")
        self.rows: list[dict[str, Any]] = []
        self.sent: list[tuple[list[Waiting], list[dict[str, Any]], float]] = []
        self.arrival = 0
        self.now = 0.0
        self.counted = dict.fromkeys(("captured", "compacted", "applied", "rejected"), 0)
        self.doubts: dict[str, float] = {}
        self.letters: set[str] = set()
        self.gaps: list[Gap] = []

    def teardown(self) -> None:
        self.spool.close()
        shutil.rmtree(self.directory)

    def _arrives(self, name: str, kind: ChangeKind, image: bytes | None) -> None:
        self.arrival += 1
        self.counted["captured"] += 1
        new = {"arrival": self.arrival, "kind": kind, "image": image}
        for row in self.rows:
            if row["name"] == name:
                row.update(new)
                self.counted["compacted"] += 1
                return
        self.rows.append({"name": name, "place": self.arrival, "first_at": self.now, **new})

    @rule(changes=MORE, keys_only=st.booleans(), has_gap=st.sampled_from([False, False, True]))
    def store(self, changes: list[tuple[str, int | None]], keys_only: bool, has_gap: bool) -> None:
        self.now += 1
        records = [change(name, version) for name, version in changes]
        gaps = [Gap(f"s{len(self.gaps)}", "why")] if has_gap else []
        position = Position("s", None, sequence=self.arrival + len(records))
        self.spool.store(records, [position], self.now, keys_only=keys_only, gaps=gaps)
        for (name, _), record in zip(changes, records, strict=True):
            is_dropped = keys_only and record.image is not None
            kind = ChangeKind.READ_AGAIN if is_dropped else record.kind
            self._arrives(name, kind, None if is_dropped else record.image)
        if has_gap:
            self.gaps += gaps
            for row in self.rows:
                row.update(kind=ChangeKind.READ_AGAIN, image=None)

    @precondition(lambda self: self.rows)
    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        self.now += 1
        after = data.draw(st.sampled_from([0, *(row["place"] for row in self.rows)]))
        limit = data.draw(st.integers(1, 4))
        rows = self.spool.waiting(after, limit)
        expected = [row for row in self.rows if row["place"] > after][:limit]
        assert [row.key for row in rows] == [key_named(row["name"]) for row in expected]
        self.sent.append((rows, [dict(row) for row in expected], self.now))

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), outcome=st.sampled_from(["applied", "refused", "doubted", "set aside"]))
    def hear(self, data: st.DataObject, outcome: str) -> None:
        self.now += 1
        sent = data.draw(st.integers(0, len(self.sent) - 1))
        rows, copies, sent_at = self.sent.pop(sent)
        if outcome == "doubted":
            until = self.now + data.draw(st.integers(1, 5))
            self.spool.add_doubts(rows, until)
            for copy in copies:
                self.doubts[copy["name"]] = max(self.doubts.get(copy["name"], until), until)
            return
        current = {(row["place"], row["arrival"]): row for row in self.rows}
        found = [current.get((copy["place"], copy["arrival"])) for copy in copies]
        if outcome == "refused":
            self.spool.read_again(rows)
            for row in found:
                if row is not None:
                    row.update(kind=ChangeKind.READ_AGAIN, image=None)
            return
        if outcome == "set aside" and rows:
            del rows[1:], copies[1:], found[1:]
        there = [row for row in found if row is not None]
        if outcome == "set aside" and rows:
            letter = Letter(b"{}", "ValidationException", "why", self.now)
            self.spool.set_aside(rows[0], letter, sent_at)
            self.counted["rejected"] += len(there)
            self.letters.add(copies[0]["name"])
        else:
            assert self.spool.applied(arrivals_of(rows), sent_at) == len(there)
            self.counted["applied"] += len(there)
            # Of a row that has gone meanwhile, or has another place, nothing is known.
            places = {copy["place"] for copy in copies}
            self.letters -= {row["name"] for row in self.rows if row["place"] in places}
        self.rows = [row for row in self.rows if row not in there]
        places = {copy["place"] for copy in copies}
        for row in self.rows:
            if row["place"] in places and row["arrival"] != row["place"]:
                row.update(place=row["arrival"], first_at=max(row["first_at"], sent_at))
        self.rows.sort(key=lambda row: int(row["place"]))

    @rule(limit=st.integers(1, 3))
    def drop_images(self, limit: int) -> None:
        with_image = [row for row in self.rows if row["image"] is not None][:limit]
        assert self.spool.drop_images(limit) == len(with_image)
        for row in with_image:
            row.update(kind=ChangeKind.READ_AGAIN, image=None)

    @precondition(lambda self: self.doubts)
    @rule()
    def revisit_doubts(self) -> None:
        self.now += 1
        due = [name for name, until in self.doubts.items() if until <= self.now]
        before = {row["name"] for row in self.rows}
        assert self.spool.revisit_doubts(self.now) == len(due)
        # Their order among each other is the file's.
        order = {row.key: row.arrival for row in self.spool.waiting(0, 100)}
        for name in sorted(due, key=lambda name: order[key_named(name)]):
            self._arrives(name, ChangeKind.READ_AGAIN, None)
            assert (name in before) == any(
                row["name"] == name and row["place"] != self.arrival for row in self.rows
            )
            del self.doubts[name]

    @rule()
    def open_anew(self) -> None:
        self.spool.close()
        reopened = SpoolFile.open(self.path, "id")
        assert reopened is not None
        self.spool = reopened

    @invariant()
    def the_file_is_what_the_list_is(self) -> None:
        assert [
            (row.number, row.key, row.arrival, row.first_at, row.kind, row.image)
            for row in self.spool.waiting(0, 100)
        ] == [
            (r["place"], key_named(r["name"]), r["arrival"], r["first_at"], r["kind"], r["image"])
            for r in self.rows
        ]
        # On a busy machine a count that took long is not made anew each time.
        self.spool._read_again = TimedCount(self.spool._read_again._count)
        counts = self.spool.counts()
        counted = {name: getattr(counts, name) for name in self.counted}
        assert counted == self.counted
        assert (counts.waiting, counts.doubts) == (len(self.rows), len(self.doubts))
        assert counts.letters == len(self.letters)
        assert counts.read_again == sum(r["kind"] is ChangeKind.READ_AGAIN for r in self.rows)
        assert counts.oldest_at == (self.rows[0]["first_at"] if self.rows else None)
        assert [gap for _, gap in self.spool.open_gaps()] == self.gaps
        assert_adds_up(self.spool)


TestAnyOperations = SpoolMachine.TestCase
TestAnyOperations.settings = settings(
    max_examples=30,
    stateful_step_count=40,
    suppress_health_check=[HealthCheck.too_slow],  # each file is on a disk, which may be busy
)
