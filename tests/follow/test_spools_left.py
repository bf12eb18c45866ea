"""What waits in the spools of a move that is over is kept or removed, as is asked."""

from pathlib import Path

from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.spools_left import remove_spools
from dynaferry.ports import ChangeKind, ChangeRecord
from dynaferry.state.directory import spool_path


def spooled(path: Path, *keys: bytes) -> None:
    spool = SpoolFile.create(path, "id")
    spool.store([ChangeRecord(key, key, ChangeKind.DELETE) for key in keys], (), 0.0)
    spool.close()


def test_a_spool_in_which_something_waits_is_kept_where_that_is_asked(tmp_path: Path) -> None:
    first, second = (spool_path(tmp_path, "orders", number) for number in (0, 1))
    spooled(first)
    spooled(second, b"k1", b"k2")
    assert remove_spools(tmp_path, "orders", 3, keep_waiting=True) == (2, [second])
    assert not first.exists()
    assert remove_spools(tmp_path, "orders", 3, keep_waiting=False) == (0, [])
    assert list(tmp_path.glob("*.sqlite*")) == []
