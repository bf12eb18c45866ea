"""What a move without a stream keeps beside its state: its passes, begun and ended."""

import sqlite3

import msgspec

from dynaferry.state.move_records import MoveRecord, PassRecord
from dynaferry.state.sqlite import move_schema as schema
from dynaferry.state.sqlite.move_file import MoveFile


class PassFile(MoveFile):
    """The move of one run, with its passes."""

    async def begin_passes(self, now: float) -> MoveRecord:
        """Makes it a move without a stream; how it stands already stays.

        :raises StateWriteError: it could not be stored
        """
        await self._write(lambda connection: connection.execute(schema.PASSES_TABLE))
        return await self.begin_move("replaying", now, has_way_back=False)

    async def store_pass(self, made: PassRecord) -> None:
        """Keeps a pass as it stands, in the place of what was kept of it before.

        :raises StateWriteError: it could not be stored
        """
        row = (made.number, msgspec.json.encode(made))
        await self._write(lambda connection: connection.execute(schema.STORE_IN_PASSES, row))

    async def read_passes(self) -> list[PassRecord]:
        """The passes that there were, in their order; none where it is no such move."""
        found: list[PassRecord] = []

        def read() -> None:
            with self._file.reading() as connection:
                if _is_one(connection):
                    found.extend(map(schema.pass_of, connection.execute(schema.SELECT_PASSES)))

        await self._on_thread(read)
        return found


def _is_one(connection: sqlite3.Connection) -> bool:
    return schema.has_move(connection) and schema.has_passes(connection)
