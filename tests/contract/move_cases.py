"""The cases of a move that was switched, and of one that nobody moves at the moment.

Its tables are put into the recorded file of a copy as they are stored: see them as recorded, too.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from tests.contract.world import HERE, ContractWorld, Said, look

_STORED: Final = """
CREATE TABLE move (only INTEGER PRIMARY KEY CHECK (only = 1), stage TEXT NOT NULL,
    since REAL NOT NULL, has_way_back INTEGER NOT NULL, switched_at REAL, returned_at REAL);
CREATE TABLE transitions (number INTEGER PRIMARY KEY, request BLOB NOT NULL,
    asked_at REAL NOT NULL, beats INTEGER NOT NULL, reply BLOB, outcome TEXT, ended_at REAL);
INSERT INTO transitions VALUES (1, CAST('{"what":"cut-over","timeout_seconds":120.0}' AS BLOB),
    1790000000.0, 61, CAST('{"step":"go","since":1790000031.0,"seconds":6.1}' AS BLOB), 'go',
    1790000031.0);
"""
_FOLLOWS: Final = "INSERT INTO move VALUES (1, 'following', 1790000000.0, 0, NULL, NULL);"
_SWITCHED: Final = "INSERT INTO move VALUES (1, 'switched', 1790000031.0, 0, 1790000031.0, NULL);"
_KEPT: Final = "INSERT INTO move VALUES (1, 'switched', 1790000031.0, 1, 1790000031.0, NULL);"
_RETURNED: Final = (
    "INSERT INTO move VALUES (1, 'returned', 1790000051.0, 1, 1790000031.0, 1790000051.0);"
)
_AS_ROLE: Final = ("--source-write-role-arn", "arn:aws:iam::123456789012:role/dynaferry-way-back")

WithState = Callable[[Path, str], None]
Asked = Callable[[ContractWorld, Path], Said]


def move_cases(with_state: WithState) -> dict[str, Asked]:
    """Each case by its name; `with_state` puts a recorded state directory into its place."""

    def of(stage: str | None, *typed: str) -> Asked:
        def run(_: ContractWorld, cwd: Path) -> Said:
            with_state(cwd, "complete")
            if stage is not None:
                path = cwd / "state" / "orders.sqlite"
                with closing(sqlite3.connect(path)) as connection:
                    connection.executescript(_STORED + stage)
            return look(cwd, *typed, *HERE, "--json")

        return run

    return {
        "cut-over-switched": of(_SWITCHED, "cut-over"),
        "cut-over-not-ready": of(_FOLLOWS, "cut-over"),
        "cut-over-check-not-ready": of(_FOLLOWS, "cut-over", "--check"),
        "cut-over-refused": of(None, "cut-over"),
        "cut-back-refused": of(_SWITCHED, "cut-back", *_AS_ROLE),
        "cut-back-not-ready": of(_KEPT, "cut-back", *_AS_ROLE),
        "cut-back-check-not-ready": of(_KEPT, "cut-back", "--check"),
        "cut-back-returned": of(_RETURNED, "cut-back", *_AS_ROLE),
        "cut-back-usage": of(_KEPT, "cut-back"),
        "cut-over-usage": of(_FOLLOWS, "cut-over", "--timeout", "soon"),
        "abort": of(_FOLLOWS, "abort"),
        "abort-refused": of(_SWITCHED, "abort"),
        "late-writes-list": of(_SWITCHED, "late-writes", "list"),
        "finish": of(_SWITCHED, "finish"),
        "finish-refused": of(_FOLLOWS, "finish"),
    }
