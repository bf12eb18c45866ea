"""The spool on a thread of its own; see `spool_file` for what it keeps."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Self, TypeVar

import anyio

from dynaferry.errors import StateWriteError
from dynaferry.follow.spool_connection import SpoolDamagedError, SpoolLostError, is_damage
from dynaferry.follow.spool_file import SpoolFile

# So long after a disk was full it is tried again.
DISK_SECONDS: Final = 2.0

_Result = TypeVar("_Result")


class Spool:
    """A `SpoolFile` on a thread of its own: the event loop waits for no disk.

    A call that is cancelled while it waits for its turn is dropped; one that has begun ends whole.
    """

    def __init__(self, file: SpoolFile, thread: ThreadPoolExecutor) -> None:
        self._file = file
        self._thread = thread
        self.is_damaged = False
        self.disk_error: str | None = None

    @property
    def passes_over(self) -> bool:
        """Whether what comes is passed over; see `spool_keeping`."""
        return self._file.passes_over

    @classmethod
    async def opened_by(cls, opening: Callable[[], SpoolFile]) -> Self:
        """Opens or makes the file on the thread that will use it."""
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="dynaferry-spool")
        try:
            return cls(await asyncio.wrap_future(thread.submit(opening)), thread)
        except BaseException:
            thread.shutdown(wait=False)
            raise

    async def run(self, step: Callable[[SpoolFile], _Result]) -> _Result:
        """Does one thing with the file, behind what was asked for before.

        :raises SpoolDamagedError: the file is damaged
        :raises StateWriteError: it cannot be read, or written
        """
        try:
            return await asyncio.wrap_future(self._thread.submit(step, self._file))
        except sqlite3.Error as error:
            if is_damage(error):
                self.is_damaged = True
                raise SpoolDamagedError(self._file.path, str(error)) from error
            raise StateWriteError(f"the spool {self._file.path} cannot be read: {error}") from error
        except SpoolLostError as error:
            self.is_damaged = True
            raise SpoolDamagedError(self._file.path, error.message) from error

    async def insist(self, step: Callable[[SpoolFile], _Result]) -> _Result:
        """Does one thing that has to be stored, again and again while the disk is full.

        :raises SpoolDamagedError: the file is damaged
        """
        while True:
            try:
                result = await self.run(step)
            except StateWriteError as error:
                self.disk_error = str(error)
                await anyio.sleep(DISK_SECONDS)
            else:
                self.disk_error = None
                return result

    async def aclose(self) -> None:
        """Lets go of the file after what is under way; also when cancelled."""
        closing = self._thread.submit(self._file.close)
        self._thread.shutdown(wait=False)
        await asyncio.shield(asyncio.wrap_future(closing))
