"""A way back's spool passes over our own writes, and keeps everything from the go on."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dynaferry.follow.lineage import Gap, Position, ShardState
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.spool_keeping import begin_to_keep, begin_to_pass_over, read_all_again
from dynaferry.follow.spool_records import Letter, arrivals_of
from dynaferry.ports import ChangeKind
from tests.follow.changes import change, image_of, key_named
from tests.follow.test_spool import assert_adds_up, waiting


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "orders.way-back.sqlite"


@pytest.fixture
def spool(path: Path) -> Iterator[SpoolFile]:
    opened = SpoolFile.create(path, "id")
    yield opened
    opened.close()


def to(step: Callable[..., Any], now: float) -> Callable[..., Any]:
    return partial(step, now=now)


def test_what_is_passed_over_leaves_its_position_and_nothing_else(spool: SpoolFile) -> None:
    spool.change(to(begin_to_pass_over, 10.0))
    position = Position("shard", None, ShardState.UNREAD, sequence=7)
    spool.store([change("a", 1)], [position], 11.0, gaps=[Gap("shard", "trimmed")])
    assert waiting(spool) == []
    assert [each.sequence for each in spool.positions()] == [7]
    counts = spool.counts()
    assert (counts.captured, counts.waiting, counts.open_gaps) == (0, 0, 0)


def test_everything_is_kept_from_then_on_by_every_process(spool: SpoolFile, path: Path) -> None:
    spool.change(to(begin_to_pass_over, 10.0))
    spool.close()
    other = SpoolFile.open(path, "id")
    assert other is not None
    assert other.passes_over
    other.change(to(begin_to_keep, 20.0))
    other.close()
    last = SpoolFile.open(path, "id")
    assert last is not None
    assert not last.passes_over
    last.store([change("a", 1)], [], 21.0, gaps=[Gap("", "lost")])
    # Images from before a gap are read again; the gap is told.
    assert waiting(last) == [(key_named("a"), ChangeKind.READ_AGAIN, None)]
    assert last.counts().open_gaps == 1
    origin = last.origin()
    assert origin.begun_at == 20.0
    last.close()


def test_what_was_kept_for_a_switch_that_was_none_is_gone_and_it_adds_up(
    spool: SpoolFile,
) -> None:
    spool.store([change("a", 1), change("b", 1), change("a", 2)], [], 10.0)
    (first, second) = spool.waiting(0, 10)
    spool.applied(arrivals_of([first]), 11.0)
    spool.set_aside(second, Letter(b"{}", "ValidationException", "no", 12.0), 12.0)
    spool.add_doubts([first], 99.0)
    spool.store([change("c", 1)], [], 13.0, gaps=[Gap("", "lost")])
    spool.change(to(begin_to_pass_over, 20.0))
    counts = spool.counts()
    assert (counts.waiting, counts.letters, counts.doubts, counts.open_gaps) == (0, 0, 0, 0)
    assert_adds_up(spool)
    spool.change(to(begin_to_keep, 30.0))
    spool.store([change("a", 9)], [], 31.0)
    assert waiting(spool) == [(key_named("a"), ChangeKind.PUT, image_of("a", 9))]
    assert_adds_up(spool)


def test_all_that_waits_may_be_read_again_deletions_as_well(spool: SpoolFile) -> None:
    spool.store([change("a", 1), change("b", None)], [], 10.0)
    assert spool.change(read_all_again) == 2
    assert waiting(spool) == [
        (key_named("a"), ChangeKind.READ_AGAIN, None),
        (key_named("b"), ChangeKind.READ_AGAIN, None),
    ]


def test_a_spool_that_is_no_way_backs_keeps(spool: SpoolFile) -> None:
    assert not spool.passes_over
    spool.begin("stream", 5.0)
    spool.begin(None, 6.0)
    assert spool.origin().stream is None
