"""How a rate controller moves: eagerly at the target, politely at the source. Pure."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class RateProfile:
    """How a controller moves. Rates are in units a second.

    From `start_units` the rate doubles every `doubling_seconds` until the first refusal. After a
    refusal it is `keep` times the measured capacity for `hold_seconds`, then `probe_share` of it
    more for `probe_seconds`, and then it grows by `curve` times the seconds to the third power, in
    parts of that capacity. A probe is just enough to use up what the service saved meanwhile: who
    meets no refusal by then knows that there is more.
    """

    start_units: float
    doubling_seconds: float
    keep: float
    hold_seconds: float
    curve: float
    probe_share: float = 0.0
    probe_seconds: float = 0.0

    def share_at(self, seconds: float) -> float:
        """The share of the capacity to ask for, `seconds` after it was held; 0 while it is."""
        if seconds <= 0:
            return self.keep
        grown = self.curve * max(0.0, seconds - self.probe_seconds) ** 3
        return self.keep + self.probe_share + grown


# The target is ours to fill: it loses nothing by a refusal but the refusal.
EAGER: Final = RateProfile(
    start_units=1000.0,
    doubling_seconds=0.3,
    keep=0.985,
    hold_seconds=0.8,
    curve=20.0,
    probe_share=0.12,
    probe_seconds=0.7,
)
# The source serves customers: a refusal there may have been one of theirs.
POLITE: Final = RateProfile(
    start_units=1000.0, doubling_seconds=1.0, keep=0.7, hold_seconds=15.0, curve=0.0005
)
