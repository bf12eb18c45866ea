"""How much more than expected a request consumes: indexes, larger old items. Pure.

What a request costs is known only after the response. So the ratio of consumed to expected units is
learned, and rather too high than too low.
"""

COST_FALL_SHARE = 0.05


def from_above(expected: float, seen: float) -> float:
    """What to expect next: it rises at once to what was seen, and comes down slowly."""
    return max(seen, expected + COST_FALL_SHARE * (seen - expected))


class CostRatio:
    """Consumed units for each expected one, never below 1."""

    def __init__(self) -> None:
        self.value = 1.0
        self.is_known = False

    def learn(self, expected: float, consumed: float | None) -> None:
        """A request that was expected to consume `expected` units consumed so many.

        None says that nobody will know: then what is expected is all there is. A request that
        consumed nothing was refused, and says nothing.
        """
        if consumed is None:
            self.is_known = True
        elif consumed > 0 and expected > 0:
            seen = max(1.0, consumed / expected)
            self.value = from_above(self.value, seen)
            self.is_known = True
