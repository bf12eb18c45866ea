import asyncio
import hashlib
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from dynaferry.errors import StateError, StateWriteError
from dynaferry.plan.recorded import RecordedSettings
from dynaferry.state.directory import find_runs, log_paths, state_path
from dynaferry.state.lock import is_locked
from dynaferry.state.records import (
    SCHEMA_VERSION,
    RunIdentity,
)
from dynaferry.state.sqlite import connection as database
from dynaferry.state.sqlite.store import Moment, SqliteStore
from dynaferry.state.store import StateStore
from tests.state.contract import (
    CREATED_AT,
    EXTERNAL_ID,
    IDENTITY,
    PLAN,
    SETTINGS,
    VERSION,
    StateStoreContract,
    counters,
    dead_letter,
    sample,
    segment_record,
)
from tests.state.stored_letters import stored_letters

RUN = "orders-to-people"


class SqliteRun:
    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir

    async def create(
        self, identity: RunIdentity = IDENTITY, settings: RecordedSettings = SETTINGS
    ) -> StateStore:
        return await SqliteStore.create(
            self._state_dir, RUN, identity, settings, VERSION, CREATED_AT
        )

    async def reopen(self) -> StateStore:
        return await SqliteStore.open(self._state_dir, RUN)


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "a state directory? 50% #1"


@asynccontextmanager
async def begun(state_dir: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.create(state_dir, RUN, IDENTITY, SETTINGS, VERSION, CREATED_AT)
    try:
        yield store
    finally:
        await store.aclose()


@asynccontextmanager
async def opened(state_dir: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(state_dir, RUN)
    try:
        yield store
    finally:
        await store.aclose()


@asynccontextmanager
async def read_only(state_dir: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open_for_reading(state_dir, RUN)
    try:
        yield store
    finally:
        await store.aclose()


def contents(directory: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.iterdir()
    }


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class TestContract(StateStoreContract):
    @pytest.fixture
    def store_factory(self, state_dir: Path) -> SqliteRun:
        return SqliteRun(state_dir)


class TestBeginning:
    async def test_only_the_owner_may_read_the_directory_and_its_files(
        self, state_dir: Path
    ) -> None:
        umask = os.umask(0)
        try:
            async with begun(state_dir) as store:
                await store.checkpoint(0, [segment_record(1)], counters())
                assert mode_of(state_dir) == 0o700
                path = state_path(state_dir, RUN)
                files = [path, *log_paths(path), state_dir / f"{RUN}.lock"]
                assert {file.name: mode_of(file) for file in files} == {
                    file.name: 0o600 for file in files
                }
                assert sorted(files) == sorted(state_dir.iterdir())
        finally:
            os.umask(umask)

    async def test_no_secret_is_in_any_file(self, state_dir: Path) -> None:
        async with begun(state_dir) as store:
            await store.begin_attempt(VERSION, CREATED_AT)
            await store.checkpoint(0, [segment_record(1)], counters())
            stored = b"".join(path.read_bytes() for path in state_dir.iterdir())
        stored += b"".join(path.read_bytes() for path in state_dir.iterdir())
        assert b"arn:aws:iam::222222222222:role/copy" in stored
        assert EXTERNAL_ID.encode() not in stored
        assert PLAN.source.profile is not None
        assert PLAN.source.profile.encode() not in stored

    async def test_a_run_that_is_there_is_not_begun_again(self, state_dir: Path) -> None:
        async with begun(state_dir):
            pass
        before = contents(state_dir)
        with pytest.raises(StateError, match="already"):
            async with begun(state_dir):
                pass
        assert (
            contents(state_dir)[state_path(state_dir, RUN).name]
            == (before[state_path(state_dir, RUN).name])
        )

    async def test_what_a_crash_left_while_beginning_is_no_run_and_is_replaced(
        self, state_dir: Path
    ) -> None:
        state_dir.mkdir()
        for name in (".new", ".new-wal", ".new-shm", ".new-journal"):
            (state_dir / f".{RUN}.sqlite{name}").write_bytes(b"half of a file")
        assert await asyncio.to_thread(find_runs, state_dir) == []
        async with begun(state_dir) as store:
            assert (await store.read_run()).identity == IDENTITY
            assert not list(state_dir.glob(".*"))

    async def test_a_log_whose_file_is_missing_is_not_applied_to_a_new_file(
        self, state_dir: Path
    ) -> None:
        state_dir.mkdir()
        log, _ = log_paths(state_path(state_dir, RUN))
        log.write_bytes(b"a log")
        with pytest.raises(StateError, match="is missing, but its log"):
            async with begun(state_dir):
                pass
        assert log.read_bytes() == b"a log"

    async def test_a_state_directory_that_is_a_file_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(StateError, match="cannot be made or written to: File exists") as caught:
            async with begun(tmp_path / "file"):
                pass
        assert caught.value.hint is not None
        assert "--state-dir" in caught.value.hint

    async def test_a_run_whose_name_is_too_long_for_a_file_is_refused(
        self, state_dir: Path
    ) -> None:
        with pytest.raises(StateError, match="File name too long") as caught:
            await SqliteStore.create(state_dir, "r" * 400, IDENTITY, SETTINGS, VERSION, 0)
        assert caught.value.hint is not None
        assert "name of its own" in caught.value.hint


def a_text(path: Path) -> None:
    path.write_text("not a database at all\n" * 100)


def a_foreign_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (a)")
        connection.commit()


def set_version(path: Path, version: int) -> None:
    with path.open("r+b") as file:
        file.seek(60)
        file.write(version.to_bytes(4, "big"))


def a_newer_schema(path: Path) -> None:
    set_version(path, SCHEMA_VERSION + 1)


def an_older_schema(path: Path) -> None:
    set_version(path, SCHEMA_VERSION - 1)


def cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def cut_within_the_header(path: Path) -> None:
    os.truncate(path, 50)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def damaged(path: Path) -> None:
    """Overwrites every page but the first."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (path.stat().st_size - 4096))


BREAKS = [
    (a_text, "is not a SQLite database"),
    (a_foreign_database, "that dynaferry did not make"),
    (a_newer_schema, "is of a newer dynaferry"),
    (an_older_schema, "is of an older dynaferry"),
    (cut_short, "is damaged"),
    (cut_within_the_header, "is cut short"),
    (empty, "is empty"),
    (damaged, "is damaged"),
]


class TestRefusing:
    @pytest.fixture
    async def path(self, state_dir: Path) -> Path:
        async with begun(state_dir) as store:
            await store.add_dead_letters([dead_letter(str(number)) for number in range(300)])
        return state_path(state_dir, RUN)

    @pytest.mark.parametrize(("break_it", "words"), BREAKS)
    async def test_a_foreign_or_broken_file_is_refused_and_left_as_it_is(
        self, path: Path, break_it: Callable[[Path], None], words: str
    ) -> None:
        if break_it in (a_text, a_foreign_database):
            path.unlink()
        break_it(path)
        before = path.read_bytes()
        with pytest.raises(StateError, match=words) as caught:
            await SqliteStore.open(path.parent, RUN)
        assert str(path) in caught.value.message
        assert caught.value.hint == "move it away, or choose another --state-dir"
        with pytest.raises(StateError, match=words):
            await SqliteStore.set_aside(path.parent, RUN, CREATED_AT)
        assert path.read_bytes() == before
        assert not await asyncio.to_thread(is_locked, path.parent, RUN)

    async def test_the_log_of_a_foreign_database_is_left_as_it_is(self, path: Path) -> None:
        path.unlink()
        theirs = sqlite3.connect(path)
        theirs.execute("PRAGMA journal_mode = WAL")
        theirs.execute("CREATE TABLE theirs (a)")
        before = [file.read_bytes() for file in (path, log_paths(path)[0])]
        for look in (SqliteStore.open, SqliteStore.open_for_reading):
            with pytest.raises(StateError, match="did not make"):
                await look(path.parent, RUN)
        assert [file.read_bytes() for file in (path, log_paths(path)[0])] == before
        theirs.close()

    async def test_a_directory_in_the_files_place_is_refused(self, path: Path) -> None:
        path.unlink()
        path.mkdir()
        with pytest.raises(StateError, match="is not a file"):
            await SqliteStore.open(path.parent, RUN)
        with pytest.raises(StateError, match="already"):
            async with begun(path.parent):
                pass

    async def test_a_file_that_may_not_be_read_is_refused(self, path: Path) -> None:
        path.chmod(0)
        if os.access(path, os.R_OK):
            pytest.skip("root may read everything")
        with pytest.raises(StateError, match="Permission denied"):
            await SqliteStore.open(path.parent, RUN)

    async def test_a_file_that_may_not_be_written_is_refused(self, path: Path) -> None:
        path.chmod(0o400)
        if os.access(path, os.W_OK):
            pytest.skip("root may write everything")
        with pytest.raises(StateError, match="cannot be opened: Permission denied"):
            await SqliteStore.open(path.parent, RUN)
        assert not await asyncio.to_thread(is_locked, path.parent, RUN)

    async def test_a_run_that_is_not_there_is_refused_and_nothing_is_made(
        self, state_dir: Path
    ) -> None:
        for look in (SqliteStore.open, SqliteStore.open_for_reading):
            with pytest.raises(StateError, match="there is no run"):
                await look(state_dir, RUN)
        assert not state_dir.exists()

    async def test_settings_that_are_not_understood_are_refused(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE run SET settings = ?", (b"{}",))
            connection.commit()
        with pytest.raises(StateError, match="is damaged: what it says of its run"):
            await SqliteStore.open(path.parent, RUN)

    async def test_reasons_of_throttles_that_are_not_understood_are_refused(
        self, path: Path
    ) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE tables SET throttles = ?", (b"{}",))
            connection.commit()
        with pytest.raises(StateError, match="is damaged: its counters are not understood"):
            await SqliteStore.open(path.parent, RUN)

    async def test_a_missing_table_is_a_refusal_and_not_a_crash(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("DROP TABLE samples")
            connection.commit()
        for look in (SqliteStore.open, SqliteStore.open_for_reading, SqliteStore.open_to_control):
            with pytest.raises(StateError, match="is damaged: its table samples is missing"):
                await look(path.parent, RUN)

    async def test_a_table_that_goes_while_it_is_read_is_a_refusal_and_not_a_crash(
        self, path: Path
    ) -> None:
        async with opened(path.parent) as store:
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("DROP TABLE samples")
                connection.commit()
            with pytest.raises(StateError, match="is damaged: no such table"):
                await store.read_samples(0, 1)


class TestWriting:
    async def test_a_full_disk_is_said_and_leaves_the_last_checkpoint(
        self, state_dir: Path
    ) -> None:
        async with begun(state_dir) as store:
            await store.checkpoint(0, [segment_record(1)], counters(1))
            pages = (await store._rows("PRAGMA page_count"))[0][0]
            await store._rows(f"PRAGMA max_page_count = {pages}")
            many = [segment_record(number, pages=9) for number in range(5000)]
            with pytest.raises(StateWriteError, match="full") as caught:
                await store.checkpoint(0, many, counters(2))
            assert caught.value.hint is not None
            assert str(state_path(state_dir, RUN)) in caught.value.hint
            assert await store.read_segments(0) == [segment_record(1)]
            assert await store.read_counters(0) == counters(1)

            await store._rows("PRAGMA max_page_count = 1000000")
            await store.checkpoint(0, many, counters(2))
            assert await store.read_segments(0) == many

    async def test_a_file_that_was_removed_is_noticed_at_the_next_checkpoint(
        self, state_dir: Path
    ) -> None:
        async with begun(state_dir) as store:
            state_path(state_dir, RUN).unlink()
            with pytest.raises(StateWriteError, match="removed or replaced"):
                await store.checkpoint(0, [segment_record(1)], counters())

    async def test_a_file_that_was_replaced_is_noticed_at_the_next_checkpoint(
        self, state_dir: Path
    ) -> None:
        async with begun(state_dir) as store:
            path = state_path(state_dir, RUN)
            path.rename(state_dir / "moved")
            path.write_bytes((state_dir / "moved").read_bytes())
            with pytest.raises(StateWriteError, match="removed or replaced"):
                await store.add_sample(sample(1))

    async def test_a_letter_of_no_table_is_a_write_error_and_stores_none_of_its_batch(
        self, state_dir: Path
    ) -> None:
        async with begun(state_dir) as store:
            with pytest.raises(StateWriteError, match="FOREIGN KEY"):
                await store.add_dead_letters([dead_letter("a"), dead_letter("b", table=9)])
            assert await stored_letters(store) == []


class SlowStore(SqliteStore):
    """Stays inside each checkpoint until it is let go."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.let_go = threading.Event()
        self.inside = asyncio.Event()
        self.loop = asyncio.get_running_loop()

    def reached(self, moment: Moment) -> None:
        if moment == "inside a checkpoint":
            self.loop.call_soon_threadsafe(self.inside.set)
            assert self.let_go.wait(timeout=30)


class TestCancelling:
    @pytest.fixture
    async def store(self, state_dir: Path) -> AsyncIterator[SlowStore]:
        store = await SlowStore.create(state_dir, RUN, IDENTITY, SETTINGS, VERSION, CREATED_AT)
        yield store
        store.let_go.set()
        await store.aclose()

    async def test_a_checkpoint_that_is_cancelled_within_is_stored_whole(
        self, store: SlowStore
    ) -> None:
        task = asyncio.create_task(store.checkpoint(0, [segment_record(1)], counters()))
        await store.inside.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        store.let_go.set()
        assert await store.read_segments(0) == [segment_record(1)]
        assert await store.read_counters(0) == counters()

    async def test_a_checkpoint_that_is_cancelled_while_it_waits_is_not_stored(
        self, store: SlowStore
    ) -> None:
        first = asyncio.create_task(store.checkpoint(0, [segment_record(1)], counters(1)))
        await store.inside.wait()
        second = asyncio.create_task(store.checkpoint(0, [segment_record(2)], counters(2)))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        store.let_go.set()
        await first
        assert await store.read_segments(0) == [segment_record(1)]
        assert await store.read_counters(0) == counters(1)

    async def test_closing_waits_for_what_is_under_way_even_when_it_is_cancelled(
        self, store: SlowStore, state_dir: Path
    ) -> None:
        writing = asyncio.create_task(store.checkpoint(0, [segment_record(1)], counters()))
        await store.inside.wait()
        closing_it = asyncio.create_task(store.aclose())
        await asyncio.sleep(0)
        closing_it.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing_it
        store.let_go.set()
        await writing
        await store.aclose()
        assert not await asyncio.to_thread(is_locked, state_dir, RUN)
        async with opened(state_dir) as again:
            assert await again.read_segments(0) == [segment_record(1)]

    async def test_an_opening_that_is_cancelled_leaves_the_run_unlocked(
        self, state_dir: Path
    ) -> None:
        async with begun(state_dir):
            pass
        threads = set(threading.enumerate())
        opening = asyncio.create_task(SqliteStore.open(state_dir, RUN))
        await asyncio.sleep(0)
        started = set(threading.enumerate()) - threads
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        for thread in started:
            await asyncio.to_thread(thread.join)
        assert not await asyncio.to_thread(is_locked, state_dir, RUN)


class TestLocking:
    async def test_a_second_opener_is_refused_with_the_process_that_works_on_the_run(
        self, state_dir: Path
    ) -> None:
        async with begun(state_dir):
            assert await asyncio.to_thread(is_locked, state_dir, RUN)
            for attempt in (
                SqliteStore.open(state_dir, RUN),
                SqliteStore.create(state_dir, RUN, IDENTITY, SETTINGS, VERSION, 0),
                SqliteStore.set_aside(state_dir, RUN, 0),
            ):
                with pytest.raises(StateError, match=rf"\(process {os.getpid()}\)") as caught:
                    await attempt
                assert caught.value.hint is not None
                assert f"dynaferry status {RUN}" in caught.value.hint
        assert not await asyncio.to_thread(is_locked, state_dir, RUN)


OTHER_WRITER = """
import sqlite3, sys
other = sqlite3.connect(sys.argv[1], isolation_level=None)
other.execute("UPDATE controls SET changed_at = 1.0")
other.close()
"""

OTHER_NAME = """
import asyncio, sys
from pathlib import Path
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.errors import StateError
try:
    asyncio.run(SqliteStore.open(Path(sys.argv[1]), sys.argv[2]))
except StateError as error:
    print(error.message)
"""


def beside(code: str, *arguments: object) -> str:
    """What another process prints."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        timeout=60,
        check=True,
        text=True,
    )
    return done.stdout.strip()


class TestOneFileOfTwoNames:
    async def test_it_is_not_worked_on_twice(self, state_dir: Path) -> None:
        async with begun(state_dir):
            path = state_path(state_dir, RUN)
            other = state_path(state_dir, "other")
            other.hardlink_to(path)
            said = await asyncio.to_thread(beside, OTHER_NAME, state_dir, "other")
            assert "has 2 names (hard links)" in said
            other.unlink()

    @pytest.mark.skipif(sys.platform != "linux", reason="locks of open files")
    async def test_it_is_locked_under_whatever_name(self, state_dir: Path) -> None:
        async with begun(state_dir):
            state_path(state_dir, RUN).rename(state_path(state_dir, "renamed"))
            said = await asyncio.to_thread(beside, OTHER_NAME, state_dir, "renamed")
            assert "another dynaferry works on the state file" in said
            assert "under another name" in said
        assert await asyncio.to_thread(beside, OTHER_NAME, state_dir, "renamed") == ""

    async def test_a_renamed_directory_takes_its_lock_along(self, state_dir: Path) -> None:
        async with begun(state_dir):
            moved = state_dir.rename(state_dir.with_name("moved"))
            said = await asyncio.to_thread(beside, OTHER_NAME, moved, RUN)
            assert f"another dynaferry works on this run (process {os.getpid()})" in said


class TestLooksOfTheSameProcess:
    """Closing a file lets go of all locks that a process has on it."""

    @pytest.mark.parametrize(
        "look", [SqliteStore.open_for_reading, SqliteStore.open_to_control, SqliteStore.open]
    )
    async def test_they_do_not_give_the_log_away_to_another_process(
        self, state_dir: Path, look: Callable[[Path, str], Awaitable[SqliteStore]]
    ) -> None:
        async with begun(state_dir) as store:
            await store.checkpoint(0, [segment_record(1)], counters())
            try:
                await (await look(state_dir, RUN)).aclose()
            except StateError:
                assert look == SqliteStore.open, "the run is being worked on"
            path = state_path(state_dir, RUN)
            await asyncio.to_thread(beside, OTHER_WRITER, path)
            assert log_paths(path)[0].exists()
            await store.checkpoint(0, [segment_record(2)], counters(2))
        async with opened(state_dir) as again:
            assert await again.read_segments(0) == [segment_record(1), segment_record(2)]


@pytest.fixture
def leaving_no_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a directory that cannot be written to, and beside somebody else's file."""
    monkeypatch.setattr(database, "leaves_traces", lambda _: False)


@pytest.mark.usefixtures("leaving_no_traces")
class TestReadingWhatCannotBeWritten:
    @pytest.fixture
    async def path(self, state_dir: Path) -> Path:
        async with begun(state_dir) as store:
            await store.checkpoint(0, [segment_record(1)], counters())
        return state_path(state_dir, RUN)

    async def read(self, path: Path) -> int:
        # In the index a reader notes what it reads, where it may.
        index = log_paths(path)[1].name
        before = contents(path.parent)
        async with read_only(path.parent) as reader:
            found = await reader.read_segments(0)
            assert (await reader.read_run()).identity == IDENTITY
        after = contents(path.parent)
        assert after | {index: ""} == before | {index: ""}
        assert (index in after) == (index in before)
        return len(found)

    async def test_a_run_that_was_closed_is_read(self, path: Path) -> None:
        assert not any(log.exists() for log in log_paths(path))
        assert await self.read(path) == 1

    @pytest.mark.parametrize("keeps_index", [True, False])
    async def test_a_run_that_was_killed_is_read_with_its_log(
        self, path: Path, state_dir: Path, *, keeps_index: bool
    ) -> None:
        killed = state_dir.with_name("killed")
        async with opened(state_dir) as store:
            await store.checkpoint(0, [segment_record(2), segment_record(3)], counters())
            shutil.copytree(state_dir, killed)
        log, index = log_paths(state_path(killed, RUN))
        assert log.stat().st_size > 0
        if not keeps_index:
            index.unlink()
        assert await self.read(state_path(killed, RUN)) == 3

    async def test_a_run_under_way_is_read(self, path: Path, state_dir: Path) -> None:
        async with opened(state_dir) as store:
            await store.checkpoint(0, [segment_record(2)], counters())
            assert await self.read(path) == 2

    async def test_a_log_that_may_not_be_read_is_said_and_no_old_state_is_shown(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        log, _ = log_paths(path)
        log.write_bytes(b"a log of somebody else")
        copy = shutil.copyfile

        def refuse(one: Path, other: Path) -> object:
            if one == log:
                raise PermissionError(13, "Permission denied")
            return copy(one, other)

        monkeypatch.setattr(shutil, "copyfile", refuse)
        with pytest.raises(StateError, match=r"the log .* cannot be read: Permission denied"):
            await SqliteStore.open_for_reading(path.parent, RUN)


class TestReadingOnly:
    async def test_a_reader_sees_what_an_active_writer_stored_and_holds_nothing_up(
        self, state_dir: Path
    ) -> None:
        async with begun(state_dir) as writer, read_only(state_dir) as reader:
            for pages in (1, 2):
                await writer.checkpoint(0, [segment_record(1, pages)], counters(pages))
                assert await reader.read_segments(0) == [segment_record(1, pages)]
                assert await reader.read_counters(0) == counters(pages)

    async def test_reading_changes_neither_file_nor_log(self, state_dir: Path) -> None:
        async with begun(state_dir) as writer:
            await writer.checkpoint(0, [segment_record(1)], counters())
            path = state_path(state_dir, RUN)
            before = [path.read_bytes(), log_paths(path)[0].read_bytes()]
            async with read_only(state_dir) as reader:
                assert await reader.read_totals(0) == await writer.read_totals(0)
            assert [path.read_bytes(), log_paths(path)[0].read_bytes()] == before

    async def test_a_closed_run_is_read_and_can_be_opened_meanwhile(self, state_dir: Path) -> None:
        async with begun(state_dir):
            pass
        async with read_only(state_dir) as reader, opened(state_dir) as writer:
            await writer.end_attempt("complete", CREATED_AT)
            assert (await reader.read_run()).status == "complete"

    async def test_storing_through_a_reader_is_a_programming_error(self, state_dir: Path) -> None:
        async with begun(state_dir):
            pass
        async with read_only(state_dir) as reader:
            for attempt in (
                reader.begin_attempt(VERSION, 0),
                reader.end_attempt("complete", 0),
                reader.checkpoint(0, [], counters()),
                reader.add_dead_letters([]),
                reader.add_sample(sample(1)),
            ):
                with pytest.raises(RuntimeError, match="opened for reading"):
                    await attempt


class TestSettingAside:
    async def test_the_old_file_keeps_everything_and_the_name_is_free(
        self, state_dir: Path
    ) -> None:
        async with begun(state_dir) as store:
            await store.checkpoint(0, [segment_record(1)], counters())
        aside = await SqliteStore.set_aside(state_dir, RUN, CREATED_AT)
        assert aside == state_dir / f"{RUN}.sqlite.20231114T221320Z.old"
        assert await asyncio.to_thread(find_runs, state_dir) == []
        async with begun(state_dir) as store:
            assert await store.read_segments(0) == []
        with closing(sqlite3.connect(aside)) as connection:
            assert connection.execute("SELECT segment, pages FROM segments").fetchall() == [(1, 3)]

    async def test_an_earlier_file_is_never_overwritten(self, state_dir: Path) -> None:
        asides = []
        for _ in range(3):
            async with begun(state_dir):
                pass
            asides.append(await SqliteStore.set_aside(state_dir, RUN, CREATED_AT))
        assert [path.name for path in asides] == [
            f"{RUN}.sqlite.20231114T221320Z.old",
            f"{RUN}.sqlite.20231114T221320Z-2.old",
            f"{RUN}.sqlite.20231114T221320Z-3.old",
        ]
        assert all(path.is_file() for path in asides)

    async def test_a_reader_at_work_does_not_leave_its_log_to_the_next_run(
        self, state_dir: Path
    ) -> None:
        async with begun(state_dir) as store:
            await store.checkpoint(0, [segment_record(1)], counters())
            reader = await SqliteStore.open_for_reading(state_dir, RUN)
            log, _ = log_paths(state_path(state_dir, RUN))
        assert log.exists()
        aside = await SqliteStore.set_aside(state_dir, RUN, CREATED_AT)
        assert not log.exists()
        assert await reader.read_segments(0) == [segment_record(1)]
        await reader.aclose()
        with closing(sqlite3.connect(aside)) as connection:
            assert connection.execute("SELECT COUNT(*) FROM segments").fetchone() == (1,)
        async with begun(state_dir) as store:
            assert await store.read_segments(0) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_state_directory_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StateError, match="cannot be made or written to: Permission denied"):
        await SqliteStore.create(tmp_path, RUN, IDENTITY, SETTINGS, VERSION, 0)
