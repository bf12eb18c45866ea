"""A state file and the one thread that all its SQL runs on, a whole transaction at a time.

So the event loop never waits for a disk, and an await that is cancelled leaves no half of
anything: a transaction that waits its turn is dropped, one that has begun runs to its end.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self, TypeVar

from dynaferry.state.sqlite.additions import has_table
from dynaferry.state.sqlite.run_file import RunFile

_Result = TypeVar("_Result")


class FileThread:
    """The base of every store: an open `RunFile` that only its own thread touches."""

    def __init__(self, file: RunFile, thread: ThreadPoolExecutor) -> None:
        self._file = file
        self._thread = thread
        self._closing: Future[None] | None = None

    @classmethod
    async def _opened_by(cls, opening: Callable[[], RunFile]) -> Self:
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="dynaferry-state")
        opened = thread.submit(opening)
        try:
            return cls(await asyncio.wrap_future(opened), thread)
        except BaseException:
            # Cancelled or not, a file that is open by now is closed where it was opened.
            thread.submit(_close_opened, opened)
            thread.shutdown(wait=False)
            raise

    async def aclose(self) -> None:
        """Lets go of the store and its lock, after what is under way; also when cancelled."""
        if self._closing is None:
            self._closing = self._thread.submit(self._file.close)
            self._thread.shutdown(wait=False)
        await asyncio.shield(asyncio.wrap_future(self._closing))

    async def _records(
        self,
        record_of: Callable[[sqlite3.Row], _Result],
        query: str,
        *parameters: float | bytes | None,
    ) -> list[_Result]:
        def read() -> list[_Result]:
            with self._file.reading() as connection:
                return [record_of(row) for row in connection.execute(query, parameters)]

        return await self._on_thread(read)

    async def _added_records(
        self,
        table: str,
        record_of: Callable[[sqlite3.Row], _Result],
        query: str,
        *parameters: float | bytes | None,
    ) -> list[_Result]:
        """Those of a table that was added within a version; none where the file lacks it."""

        def read() -> list[_Result]:
            with self._file.reading() as connection:
                if not has_table(connection, table):
                    return []
                return [record_of(row) for row in connection.execute(query, parameters)]

        return await self._on_thread(read)

    async def _record(
        self,
        record_of: Callable[[sqlite3.Row], _Result],
        query: str,
        *parameters: float | bytes | None,
    ) -> _Result:
        """The record of the one row that the query gives."""

        def read() -> _Result:
            with self._file.reading() as connection:
                return record_of(connection.execute(query, parameters).fetchall()[0])

        return await self._on_thread(read)

    async def _read(self, read_from: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """What `read_from` makes of the file."""

        def read() -> _Result:
            with self._file.reading() as connection:
                return read_from(connection)

        return await self._on_thread(read)

    async def _rows(self, query: str, *parameters: float | bytes | None) -> list[sqlite3.Row]:
        return await self._records(lambda row: row, query, *parameters)

    async def _write(
        self,
        change: Callable[[sqlite3.Connection], object],
        stored: Callable[[], None] = lambda: None,
    ) -> None:
        if self._file.only_for_reading:
            raise RuntimeError("this store was opened for reading, so nothing can be stored in it")

        def write() -> None:
            with self._file.writing() as connection:
                change(connection)
            stored()

        await self._on_thread(write)

    async def _on_thread(self, step: Callable[[], _Result]) -> _Result:
        return await asyncio.wrap_future(self._thread.submit(step))


def _close_opened(opened: "Future[RunFile]") -> None:
    if not opened.cancelled() and opened.exception() is None:
        opened.result().close()
