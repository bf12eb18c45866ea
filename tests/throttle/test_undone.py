"""What is left undone at any rate is no throttle; what is left since something is full is one."""

import random

import pytest

from dynaferry.throttle.undone import MOST_SHARE, Undone


def written(
    undone: Undone,
    seconds: float,
    items_per_second: float,
    left: float,
    *,
    since: float = 0.0,
    clustered: bool = False,
    seed: int = 1,
) -> float:
    """Batches of 25 at this rate, of whose items the share `left` is left; returns when it ends."""
    dice, now = random.Random(f"{seed} {since}"), since
    while now < since + seconds:
        now += 25 / items_per_second
        if clustered:
            of_batch = 25 if dice.random() < left else 0
        else:
            of_batch = sum(dice.random() < left for _ in range(25))
        if of_batch or undone.is_watched:
            undone.note(25, of_batch, now)
    return now


def falling(undone: Undone, left: float, **how: bool) -> None:
    """The rate goes down by a sixth each second."""
    now, rate = 0.0, 600.0
    for _ in range(12):
        now = written(undone, 1.0, rate, left, since=now, **how)
        rate *= 5 / 6


@pytest.mark.parametrize("left", [0.01, 0.05, 0.15])
def test_a_share_that_stays_while_the_rate_falls_is_no_throttle(left: float) -> None:
    undone = Undone()
    falling(undone, left)
    assert undone.share == pytest.approx(left, rel=0.5)
    assert undone.is_usual()


def test_at_one_rate_nobody_knows() -> None:
    undone = Undone()
    written(undone, 20.0, 600.0, 0.05)
    assert not undone.share


def test_what_is_left_at_a_high_rate_alone_is_a_throttle() -> None:
    undone, now = Undone(), 0.0
    for rate in (600.0, 560.0, 520.0, 480.0, 400.0, 350.0, 300.0):
        left = max(0.0, 1 - 500.0 / rate)
        now = written(undone, 2.0, rate, left, since=now)
    assert not undone.share


def test_whole_batches_that_are_left_are_a_throttle() -> None:
    undone = Undone()
    falling(undone, 0.05, clustered=True)
    assert not undone.share


def test_more_than_is_known_is_a_throttle() -> None:
    undone = Undone()
    falling(undone, 0.05)
    written(undone, 5.0, 600.0, 0.2, since=20.0)
    assert not undone.is_usual()


def test_an_outage_is_no_usual_share() -> None:
    undone = Undone()
    falling(undone, MOST_SHARE + 0.3)
    assert not undone.is_usual()


def test_a_share_that_is_gone_is_forgotten() -> None:
    undone = Undone()
    falling(undone, 0.05)
    assert undone.share
    written(undone, 60.0, 600.0, 0.0, since=20.0)
    assert not undone.share
    assert not undone.is_watched
