"""Why the writers may not be stopped yet: what `cut-over --check` is asked before any outage, and
`status` says all the time. Pure.

A reason that lasts goes only if somebody acts, or after hours; the others may go by themselves, so
a cut-over that has begun waits for them until its time is over.
"""

from collections.abc import Iterable
from typing import Final, Literal

from msgspec import Struct

from dynaferry.follow.shard_reader import OTHERS_READ
from dynaferry.observe.move_status import MoveStatus
from dynaferry.state.move_records import Stage

READY_LAG_SECONDS: Final = 10.0

ReasonName = Literal[
    "state",
    "lag",
    "childless shards",
    "unread stream",
    "rejected items",
    "open gap",
    "doubts",
    "another reader",
    "growing spool",
    "target not active",
    "way back not armed",
    "foreign writes",
    "paused",
]
_LASTING: Final[tuple[ReasonName, ...]] = (
    "state",
    "rejected items",
    "open gap",
    "growing spool",
    "target not active",
    "way back not armed",
    "foreign writes",
    "paused",
)


class Reason(Struct, frozen=True):
    """What speaks against a switch, by a name for scripts and in words for people."""

    name: ReasonName
    told: str

    @property
    def lasts(self) -> bool:
        """Whether waiting for a minute is of no use."""
        return self.name in _LASTING


class WayBack(Struct, frozen=True):
    """The capture of the target's stream, which a way back needs.

    `trouble` is why it does not capture. `foreign` counts the latest changes of the target that
    are not ours: somebody else writes to it before the switch. `quiet_seconds` is how long it has
    shown nothing.
    """

    trouble: str | None = None
    foreign: int = 0
    quiet_seconds: float = 0.0


class Standing(Struct, frozen=True, kw_only=True):
    """How one table of a move stands, as far as it matters for the switch.

    `others_read` says what other readers of the stream are refused or slowed by, `other_readers`
    who of them was seen; `trouble` why the stream cannot be read now. `way_back` is None where none
    is wanted.
    """

    stage: Stage
    lag_seconds: float | None = None
    childless: int = 0
    rejected: int = 0
    open_gaps: int = 0
    doubts: int = 0
    others_read: bool = False
    other_readers: tuple[str, ...] = ()
    trouble: str | None = None
    will_catch_up: bool = True
    target_status: str = "ACTIVE"
    is_paused: bool = False
    way_back: WayBack | None = None


def standing_of(
    status: MoveStatus,
    *,
    target_status: str = "ACTIVE",
    other_readers: tuple[str, ...] = (),
    way_back: WayBack | None = None,
) -> Standing:
    """How a table stands that says this of itself."""
    trouble = status.trouble
    return Standing(
        stage=status.state,
        lag_seconds=status.lag_seconds,
        childless=status.shards_childless,
        rejected=status.rejected,
        open_gaps=status.gaps,
        doubts=status.doubts,
        others_read=trouble is not None and OTHERS_READ in trouble,
        other_readers=other_readers,
        trouble=trouble,
        will_catch_up=status.will_catch_up,
        target_status=target_status,
        is_paused=status.paused,
        way_back=way_back,
    )


def reasons_not_ready(standing: Standing) -> tuple[Reason, ...]:
    """Everything that speaks against a switch now; empty where nothing does."""
    return (*_of_the_state(standing), *_of_the_stream(standing), *_of_the_target(standing))


def _of_the_state(standing: Standing) -> Iterable[Reason]:
    if standing.stage not in ("following", "cutting-over"):
        yield Reason("state", f"it is {standing.stage}")
    if standing.is_paused:
        yield Reason("paused", "it is paused, so nothing is applied")
    lag = standing.lag_seconds
    if lag is not None and lag > READY_LAG_SECONDS:
        yield Reason("lag", f"the target is {lag:,.0f} s behind")
    if not standing.will_catch_up:
        yield Reason(
            "growing spool", "more is written to the source than the target takes: what waits grows"
        )


def _of_the_stream(standing: Standing) -> Iterable[Reason]:
    if standing.open_gaps:
        yield Reason("open gap", "records were lost, and not every key has been compared since")
    if standing.childless:
        shards = _counted(standing.childless, "shard has", "shards have")
        yield Reason("childless shards", f"{shards} ended and no listing shows children yet")
    if standing.others_read:
        others = ", ".join(standing.other_readers) or "somebody else"
        reads = "reads" if len(standing.other_readers) <= 1 else "read"
        yield Reason(
            "another reader", f"{others} {reads} the stream as well, and a shard takes two readers"
        )
    elif standing.trouble is not None:
        yield Reason("unread stream", standing.trouble)


def _of_the_target(standing: Standing) -> Iterable[Reason]:
    if standing.doubts:
        writes = _counted(standing.doubts, "write", "writes")
        yield Reason("doubts", f"of {writes} nobody knows yet what became of them")
    if standing.rejected:
        items = _counted(standing.rejected, "item", "items")
        yield Reason("rejected items", f"the target refuses {items} as the source holds them")
    if standing.target_status != "ACTIVE":
        yield Reason("target not active", f"the target is {standing.target_status}, not ACTIVE")
    way_back = standing.way_back
    if way_back is not None and way_back.trouble is not None:
        yield Reason("way back not armed", f"there would be no way back: {way_back.trouble}")
    if way_back is not None and way_back.foreign:
        changes = _counted(way_back.foreign, "change", "changes")
        yield Reason("foreign writes", f"somebody else writes to the target: {changes} not ours")


def _counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
