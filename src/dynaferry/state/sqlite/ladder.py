"""From the tables of an earlier version to those of this one, a step for each version.

`PRAGMA user_version` says on which rung a file stands. A version that changes the tables adds the
step that leads to it from the version before, and changes no step that is there: files of every
version may be about.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Final

import msgspec
from msgspec import Struct

from dynaferry.state.records import SCHEMA_VERSION


class Ladder(Struct, frozen=True):
    """Leads a file up to `version`: `steps` are the statements by the version that they are for."""

    version: int
    steps: Mapping[int, Sequence[str]] = {}

    def leads_from(self, version: int) -> bool:
        """Whether a file of this version is one of today's, or can be made one."""
        return all(rung in self.steps for rung in range(version, self.version))

    def climb(self, connection: sqlite3.Connection) -> None:
        """Makes the file one of today's. To be called within a transaction."""
        found = version_of(connection)
        if found == self.version:
            return
        for rung in range(found, self.version):
            for statement in self.steps[rung]:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {self.version}")
        _note_version(connection, self.version)

    def climbed_copy(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        """A copy in memory of what is there now, as a file of today. The caller closes it."""
        copy = sqlite3.connect(":memory:", isolation_level=None)
        copy.row_factory = sqlite3.Row
        try:
            connection.backup(copy)
            self.climb(copy)
        except BaseException:
            copy.close()
            raise
        return copy


LADDER: Final = Ladder(SCHEMA_VERSION)


def version_of(connection: sqlite3.Connection) -> int:
    """The version of the tables, what is in the log included."""
    with closing(connection.execute("PRAGMA user_version")) as rows:
        version: int = rows.fetchone()[0]
    return version


def _note_version(connection: sqlite3.Connection, version: int) -> None:
    """A run's identity names its version too, and is compared when it goes on."""
    for run, stored in connection.execute("SELECT run, identity FROM run").fetchall():
        identity = msgspec.json.decode(stored) | {"schema_version": version}
        connection.execute(
            "UPDATE run SET identity = ? WHERE run = ?", (msgspec.json.encode(identity), run)
        )
