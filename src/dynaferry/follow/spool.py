"""The spool on a thread of its own; see `spool_file` for what it keeps."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Self, TypeVar

from dynaferry.errors import StateWriteError
from dynaferry.follow.spool_connection import SpoolDamagedError, SpoolLostError, is_damage
from dynaferry.follow.spool_file import SpoolFile

_Result = TypeVar("_Result")


class Spool:
    """A `SpoolFile` on a thread of its own: the event loop waits for no disk.

    A call that is cancelled while it waits for its turn is dropped; one that has begun ends whole.
    """

    def __init__(self, file: SpoolFile, thread: ThreadPoolExecutor) -> None:
        self._file = file
        self._thread = thread
        self.is_damaged = False

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

    async def aclose(self) -> None:
        """Lets go of the file after what is under way; also when cancelled."""
        closing = self._thread.submit(self._file.close)
        self._thread.shutdown(wait=False)
        await asyncio.shield(asyncio.wrap_future(closing))
