"""Items that a repair overwrote or deleted though they were newer than what it had seen.

They are kept as dead letters are: whole, in their own bytes, durably, for their owner alone. The
file is one JSON object a line, in the form of an export of dead letters, and is only ever added to:
no later command forgets what is in it.
"""

from pathlib import Path
from typing import Final

import msgspec
from anyio import to_thread
from msgspec import Raw, Struct

from dynaferry.errors import StateWriteError
from dynaferry.shared.journal import append_line
from dynaferry.state.directory import overwritten_path
from dynaferry.state.json_lines import ExportedError, one_line

_CODE: Final = "Overwritten"


class KeptItem(Struct, frozen=True):
    """One line of the file. Field names are a contract with scripts, as those of an export are."""

    table: str
    key: Raw
    item: Raw
    error: ExportedError
    time: str


class OverwrittenItems:
    """The file of one run's overwritten items. It is made with the first item."""

    def __init__(self, state_dir: Path, run: str) -> None:
        self.path = overwritten_path(state_dir, run)

    async def keep(self, table: str, key: bytes, item: bytes, words: str, time: str) -> None:
        """Returns when the item is on the disk. `table` is the ARN of the table that held it.

        :raises StateWriteError: it cannot be kept; the message names the key
        """
        line = msgspec.json.encode(
            KeptItem(table, one_line(key), one_line(item), ExportedError(_CODE, words), time)
        )
        try:
            await to_thread.run_sync(append_line, self.path, line)
        except OSError as error:
            raise StateWriteError(
                f"the item {key.decode('utf-8', 'replace')} of {table}, which was newer than what "
                f"the repair had seen, is overwritten and cannot be kept in {self.path}: "
                f"{error.strerror}",
                hint="make room, or remove what is in the way, before the repair is run again",
            ) from error
