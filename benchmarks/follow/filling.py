"""Fills the spool of a move that is stopped, as a long copy would."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from benchmarks.follow.endpoint import rest_of
from benchmarks.follow.moving import RUN
from benchmarks.null_endpoint import Tables
from dynaferry.dynamodb.items.canonical import digest_of
from dynaferry.follow.spool_connection import connect
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.ports import ChangeKind, ChangeRecord
from dynaferry.state.directory import spool_path

AT_ONCE = 10_000


def fill(state_dir: Path, rows: int, item_bytes: int = 1024) -> int:
    """So many changes of as many keys wait then; returns what the file takes."""
    path = spool_path(state_dir, RUN, 0)
    connection = connect(path)
    # It is made up: nothing of it needs to outlast a crash, and all of the index fits.
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -524288")
    with closing(SpoolFile(connection, path)) as spool:
        for changes in _changes(rows, item_bytes):
            spool.store(changes, (), 0.0)
    return path.stat().st_size


def _changes(rows: int, item_bytes: int) -> Iterator[list[ChangeRecord]]:
    rest = rest_of(Tables(item_bytes, 1).wire_item(0), 29)
    for first in range(0, rows, AT_ONCE):
        yield [_change(number, rest) for number in range(first, min(rows, first + AT_ONCE))]


def _change(number: int, rest: bytes) -> ChangeRecord:
    key = b'{"pk":{"S":"change-%09d"}}' % (10**8 + number)
    image = b'%b,"version":{"N":"0"},%b}' % (key[:-1], rest)
    return ChangeRecord(digest_of(key), key, ChangeKind.PUT, image)
