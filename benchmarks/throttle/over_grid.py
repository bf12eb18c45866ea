"""Tries points of the grid, and tells what the worst of them reached, and whether enough did."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

from msgspec import Struct

from benchmarks.throttle.grid import (
    LEAST_SHARE,
    MOST_THROTTLED,
    WORST_SHARE,
    Point,
    case_of,
)
from benchmarks.throttle.judge import judged
from benchmarks.throttle.virtual import run_virtual

# So many of the points are to reach what is asked.
ENOUGH = 0.95
MOST_SHOWN = 6


class Reached(Struct, frozen=True, kw_only=True):
    """What one point reached, from ten seconds on.

    `share` is of the capacity that was offered; `throttled` and `partial` of the write requests,
    those that were refused whole and those of which a part was; `throttled_items` of all items.
    """

    point: Point
    seed: int
    share: float
    throttled: float
    partial: float
    throttled_items: float

    @property
    def is_enough(self) -> bool:
        """Whether it is what is asked."""
        return self.share >= LEAST_SHARE and self.throttled <= MOST_THROTTLED


def try_point(point: Point, seed: int) -> Reached:
    """One copy to this point's target, in virtual time."""
    case = case_of(point)
    seconds = judged(case, run_virtual(case, seed=seed).report.tables["target"])
    requests = sum(s.write_requests for s in seconds)
    throttled_items = sum(s.throttled_items for s in seconds)
    return Reached(
        point=point,
        seed=seed,
        share=sum(s.write_units for s in seconds) / sum(s.write_capacity for s in seconds),
        throttled=sum(s.throttled_writes for s in seconds) / requests,
        partial=sum(s.partial_writes for s in seconds) / requests,
        throttled_items=throttled_items / (throttled_items + sum(s.items_written for s in seconds)),
    )


def try_points(points: Sequence[Point], seed: int) -> list[Reached]:
    """All of them, each with a seed of its own from `seed` on, on all cores."""
    seeds = range(seed, seed + len(points))
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        return list(processes.map(try_point, points, seeds))


def are_enough(reached: Sequence[Reached]) -> bool:
    """Whether so many of them reach what is asked, and none is far below."""
    enough = sum(each.is_enough for each in reached)
    return enough >= ENOUGH * len(reached) and min(each.share for each in reached) >= WORST_SHARE


def lines(reached: Sequence[Reached]) -> Iterator[str]:
    """The worst points, and how many reached what is asked."""
    by_share = sorted(reached, key=lambda each: (each.is_enough, each.share))
    yield f"the grid: the worst of {len(reached)} points"
    for each in by_share[:MOST_SHOWN]:
        yield (
            f"  {each.share:6.1%} of capacity, requests throttled {each.throttled:.1%} and in part "
            f"{each.partial:.1%}, items {each.throttled_items:.1%}: {each.point.title}, "
            f"seed {each.seed}"
        )
    enough = sum(each.is_enough for each in reached) / len(reached)
    missed = "" if are_enough(reached) else ", MISSED"
    yield (
        f"  {enough:.0%} reach ≥ {LEAST_SHARE:.0%} of capacity with ≤ {MOST_THROTTLED:.0%} of "
        f"requests throttled (asked {ENOUGH:.0%}, and none below {WORST_SHARE:.0%}){missed}"
    )
