"""One function says why, and what explains more is said first."""

import pytest

from dynaferry.observe.limiting_factor import (
    LimitingFactor,
    Rank,
    Signs,
    bottleneck,
    limiting_factor,
    limiting_factors,
    resource_in_words,
)

EVERYTHING = Signs(
    paused=True,
    unstored_seconds=31.0,
    silent_seconds=90.0,
    are_refused=True,
    resource="index by-owner",
    read_limit="the limit of the reads, 100 units a second",
    caps=("writes at most 10 units/s (set by hand)",),
    is_limited=True,
)


def test_nothing_holds_back_what_shows_no_sign() -> None:
    assert limiting_factor(Signs()) is None
    assert bottleneck(Signs()) is None


def test_what_explains_more_is_said_first() -> None:
    ranks = [each.rank for each in limiting_factors(EVERYTHING)]
    assert ranks == sorted(ranks)
    assert limiting_factor(EVERYTHING) == LimitingFactor(Rank.PAUSED, "paused")
    assert set(ranks) == set(Rank) - {Rank.FAILING, Rank.SILENT}


@pytest.mark.parametrize(
    ("signs", "rank"),
    [
        (Signs(silent_seconds=61.0), Rank.SILENT),
        (Signs(silent_seconds=61.0, is_limited=True), Rank.WAITING),
        (Signs(silent_seconds=61.0, is_limited=True, are_failing=True), Rank.FAILING),
        (Signs(silent_seconds=11.0, are_refused=True), Rank.REFUSED),
        (Signs(silent_seconds=61.0, are_refused=True, are_failing=True), Rank.FAILING),
    ],
)
def test_a_silence_is_explained_by_what_came_with_it(signs: Signs, rank: Rank) -> None:
    held = limiting_factor(signs)
    assert held is not None
    assert held.rank is rank
    assert held.is_well == (rank in (Rank.WAITING, Rank.REFUSED))


def test_a_silence_that_is_short_is_no_reason() -> None:
    assert limiting_factor(Signs(silent_seconds=60.0, are_failing=True, is_limited=True)) is None
    assert limiting_factor(Signs(silent_seconds=10.0, are_refused=True)) is None


def test_a_table_of_a_run_that_stores_nothing_has_no_bottleneck_that_is_known() -> None:
    assert bottleneck(Signs(resource="table orders", read_limit="a limit")) == "table orders"
    assert bottleneck(Signs(read_limit="a limit")) == "a limit"
    assert bottleneck(Signs(unstored_seconds=31.0, resource="table orders")) is None


@pytest.mark.parametrize(
    ("is_index", "is_table", "undone_share", "words"),
    [
        (True, False, 0.0, "index by-owner"),
        (False, True, 0.0, "table by-owner"),
        (False, False, 0.0, "a hot partition of by-owner"),
        (False, True, 0.25, "the target, which leaves 25% of the items undone at any rate"),
    ],
)
def test_what_throttles_is_named_as_people_know_it(
    *, is_index: bool, is_table: bool, undone_share: float, words: str
) -> None:
    named = resource_in_words(
        "by-owner", is_index=is_index, is_table=is_table, undone_share=undone_share
    )
    assert named == words
