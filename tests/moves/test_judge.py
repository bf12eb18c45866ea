"""What the judge of moves finds: a test of a judge that finds nothing would always hold."""

import pytest
from msgspec.structs import replace

from dynaferry.follow.spool_records import SpoolCounts
from tests.moves.judge import Verdict, judge, judge_counts

A, B = ("a", ""), ("b", "")


def item(name: str, version: int, *, bad: bool = False) -> bytes:
    refused = b',"bad":{"S":"x"}' if bad else b""
    return b'{"pk":{"S":"%b"},"version":{"N":"%d"}%b}' % (name.encode(), version, refused)


STATES = {A: {item("a", 1), item("a", 2)}, B: {item("b", 1), item("b", 2, bad=True)}}
GOOD, BAD = [item("a", 2), item("b", 1)], [item("a", 2), item("b", 2, bad=True)]
LETTER = {B: item("b", 2, bad=True)}


def found(verdict: Verdict) -> tuple[int, int, int]:
    return len(verdict.lost), len(verdict.invented), len(verdict.miscounted)


def test_tables_that_are_alike_are_good() -> None:
    assert judge(GOOD, GOOD, {}, STATES).is_good


@pytest.mark.parametrize(
    ("target", "is_"),
    [
        ([item("a", 2)], (1, 0, 0)),
        ([item("a", 1), item("b", 1)], (1, 0, 0)),
        ([*GOOD, item("c", 1)], (0, 1, 0)),
        # The same attributes in other bytes.
        ([b'{"version":{"N":"2"},"pk":{"S":"a"}}', item("b", 1)], (1, 0, 0)),
    ],
)
def test_what_differs_is_lost_or_invented(target: list[bytes], is_: tuple[int, int, int]) -> None:
    assert found(judge(GOOD, target, {}, STATES)) == is_


@pytest.mark.parametrize("left", [[], [item("b", 1)]])
def test_what_is_refused_may_be_there_as_it_was_where_there_is_a_letter(left: list[bytes]) -> None:
    assert judge(BAD, [item("a", 2), *left], LETTER, STATES).is_good


@pytest.mark.parametrize(
    ("target", "letters", "is_"),
    [
        ([], {}, (1, 0, 0)),
        ([], {B: item("b", 1)}, (1, 0, 0)),
        ([item("b", 7)], LETTER, (0, 1, 0)),
    ],
)
def test_a_refused_item_without_its_letter_is_lost(
    target: list[bytes], letters: dict[tuple[str, str], bytes], is_: tuple[int, int, int]
) -> None:
    assert found(judge(BAD, [item("a", 2), *target], letters, STATES)) == is_


def test_a_letter_of_what_is_not_refused_is_invented() -> None:
    assert found(judge(GOOD, GOOD, {A: item("a", 2)}, STATES)) == (0, 1, 0)


def test_counts_that_do_not_add_up_are_reported() -> None:
    good = SpoolCounts(
        captured=10,
        compacted=3,
        applied=4,
        rejected=1,
        waiting=2,
        read_again=0,
        oldest_at=None,
        used_bytes=0,
        letters=1,
        doubts=0,
        open_gaps=0,
    )
    assert judge_counts(good) == judge_counts(good, records=10) == []
    assert len(judge_counts(good, records=11)) == 1
    assert len(judge_counts(replace(good, applied=3))) == 1
