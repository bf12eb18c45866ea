"""The factor that limits a run or a table now: one function, read top-down by rank.

The terminal, the live page, `status`, health and its metric each pass what they see as `Signs`,
and get a reason. What ranks higher explains what ranks lower: a paused run is not throttled, and
one that stores nothing has nothing else worth showing. Pure.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

STALL_SECONDS: Final = 60.0
# Pages and batches come in bursts: a silence of this length with throttles in it is a brown-out.
BROWN_OUT_SECONDS: Final = 10.0


class Rank(IntEnum):
    """The order of the factors: where there are several, the lowest number is shown."""

    PAUSED = 1  # somebody asked for it
    UNSTORED = 2  # whatever else is known is too old
    REFUSED = 3  # the service throttles all that is sent
    RESOURCE = 4  # the service named what throttles
    READ_LIMIT = 5  # the reads wait for their own limit
    CAPPED = 6  # somebody asked for no more
    WAITING = 7  # a cap lets nothing through for now
    FAILING = 8  # requests fail
    SILENT = 9  # requests do not come back


@dataclass(frozen=True, slots=True)
class LimitingFactor:
    """What limits a run or a table, in words for people, and its rank."""

    rank: Rank
    reason: str

    @property
    def is_well(self) -> bool:
        """Whether the run is as it should be, and needs nobody's attention."""
        return self.rank not in (Rank.UNSTORED, Rank.FAILING, Rank.SILENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """Observations of a run or of a table at one moment; those that were not made are left out.

    `unstored_seconds` is for how long nothing was stored, where that is too long; `silent_seconds`
    for how long nothing was acknowledged, and `are_refused` whether throttles came meanwhile.
    `resource` is what the service says throttles now, `read_limit` the limit that the reads wait
    for, `caps` those that somebody set, each in people's words. `is_limited` says that a limit
    holds and nothing is under way, `are_failing` that requests failed of late.
    """

    paused: bool = False
    unstored_seconds: float | None = None
    silent_seconds: float = 0.0
    are_refused: bool = False
    resource: str | None = None
    read_limit: str | None = None
    caps: tuple[str, ...] = ()
    is_limited: bool = False
    are_failing: bool = False


def limiting_factor(signs: Signs) -> LimitingFactor | None:
    """The factor that explains most; None where nothing limits."""
    return next(limiting_factors(signs), None)


def bottleneck(signs: Signs) -> str | None:
    """The reason that bounds a table's throughput; None without one, or where more is amiss."""
    factor = limiting_factor(signs)
    return factor.reason if factor and factor.rank in (Rank.RESOURCE, Rank.READ_LIMIT) else None


def limiting_factors(signs: Signs) -> Iterator[LimitingFactor]:
    """Every factor that these signs show, by rank."""
    still = signs.silent_seconds
    if signs.paused:
        yield LimitingFactor(Rank.PAUSED, "paused")
    if signs.unstored_seconds is not None:
        yield LimitingFactor(
            Rank.UNSTORED, f"nothing was stored for {signs.unstored_seconds:.0f} s"
        )
    if still > BROWN_OUT_SECONDS and signs.are_refused and not signs.are_failing:
        yield LimitingFactor(Rank.REFUSED, f"throttled: all that was sent for {still:.0f} s")
    if signs.resource is not None:
        yield LimitingFactor(Rank.RESOURCE, signs.resource)
    if signs.read_limit is not None:
        yield LimitingFactor(Rank.READ_LIMIT, signs.read_limit)
    for cap in signs.caps:
        yield LimitingFactor(Rank.CAPPED, cap)
    if still > STALL_SECONDS:
        yield _silence(signs)


def _silence(signs: Signs) -> LimitingFactor:
    unheard = f"nothing was acknowledged for {signs.silent_seconds:.0f} s"
    if signs.are_failing:
        return LimitingFactor(Rank.FAILING, f"{unheard}: requests fail")
    if signs.is_limited:
        return LimitingFactor(Rank.WAITING, "waiting under a cap")
    return LimitingFactor(Rank.SILENT, f"{unheard}: requests do not come back")


def resource_in_words(name: str, *, is_index: bool, is_table: bool, undone_share: float) -> str:
    """The resource that throttles writes, for people: `index by-owner`, `a key range of orders`.

    `undone_share` is of the items that a target leaves undone at whatever rate, where it does.
    """
    if undone_share:
        return f"the target, which leaves {undone_share:.0%} of the items undone at any rate"
    if is_index:
        return f"index {name}"
    return f"table {name}" if is_table else f"a hot partition of {name}"
