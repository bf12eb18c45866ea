"""The late writes in the spools of a move that is over are kept, and all else removed."""

from pathlib import Path

import pytest

from dynaferry.errors import StateError
from dynaferry.follow import spool_late_writes
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.spools_left import remove_spools
from dynaferry.state.directory import spool_path
from tests.follow.changes import change


def spooled(path: Path, *names: str, is_late: bool) -> None:
    spool = SpoolFile.create(path, "id")
    if is_late:
        spool.change(lambda connection: spool_late_writes.begin(connection, 1.0))
    spool.store([change(name, 1) for name in names], (), 2.0)
    spool.close()


def test_a_spool_with_late_writes_is_kept_where_that_is_asked(tmp_path: Path) -> None:
    first, second, third = (spool_path(tmp_path, "orders", number) for number in (0, 1, 2))
    spooled(first, "k1", is_late=False)
    spooled(second, "k1", "k2", is_late=True)
    spooled(third, is_late=True)
    assert remove_spools(tmp_path, "orders", 4, keep_late_writes=True) == (2, [second])
    assert (first.exists(), third.exists()) == (False, False)
    assert remove_spools(tmp_path, "orders", 4, keep_late_writes=False) == (0, [])
    assert list(tmp_path.glob("*.sqlite*")) == []


def test_a_spool_that_cannot_be_read_is_not_removed(tmp_path: Path) -> None:
    path = spool_path(tmp_path, "orders", 0)
    path.write_bytes(b"not a spool, and longer than a header of SQLite would be" * 20)
    with pytest.raises(StateError):
        remove_spools(tmp_path, "orders", 1, keep_late_writes=True)
    assert path.exists()
