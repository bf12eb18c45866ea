"""What survives a crash of a move: its state, and what people asked of it with what became of it.

Both processes work through these records: the one that moves, and the one in which somebody asks
for a switch. Whichever is killed, a transition ends once and in one way: `go` and the state behind
it are stored together, before anybody is told.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from dynaferry.state.records import Amount, Count, EpochSeconds

Stage = Literal[
    "capturing",
    "copying",
    "replaying",
    "following",
    "re-syncing",
    "cutting-over",
    "switched",
    "going-back",
    "returned",
    "finished",
    "aborted",
]
TransitionKind = Literal["check", "cut-over", "cut-back", "abort", "finish"]
CutOverProof = Literal["observed", "closed"]
CutOverVerify = Literal["recent", "full", "none"]
# `done` is a check that nothing speaks against, or what is asked for without waiting. Whoever
# asked has withdrawn it before it was anything else: `withdrawn`.
TransitionOutcome = Literal["go", "done", "not ready", "refused", "withdrawn"]


class MoveRecord(Struct, frozen=True, kw_only=True):
    """The state of a run's move and since when; when it was switched and went back, if it did."""

    stage: Stage
    since: EpochSeconds
    has_way_back: bool = True
    switched_at: EpochSeconds | None = None
    returned_at: EpochSeconds | None = None


class TransitionRequest(Struct, frozen=True, kw_only=True):
    """What is asked of a move, and for how long it may take.

    A cut-back names the role or the profile that may write to the source.
    """

    what: TransitionKind
    timeout_seconds: Annotated[float, Meta(gt=0, le=86_400 * 7)] = 120.0
    proof: CutOverProof = "observed"
    verify: CutOverVerify = "recent"
    write_role_arn: str | None = None
    write_profile: str | None = None


class TransitionReply(Struct, frozen=True, kw_only=True):
    """What the move says of it by now: the step it is at and since when, in words.

    `lines` is everything that was said so far, in order. `reasons` are those against it, `shown`
    and `not_shown` what a go rests on, `proven` and `not_proven` the same by name; `seconds` from
    the last change to the go. `outage_seconds` is for how long nobody might write if it were
    switched now, where that is told beforehand.
    """

    step: str
    since: EpochSeconds
    lines: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    not_shown: tuple[str, ...] = ()
    seconds: Amount | None = None
    outage_seconds: Amount | None = None
    proven: tuple[str, ...] = ()
    not_proven: tuple[str, ...] = ()


class TransitionRecord(Struct, frozen=True, kw_only=True):
    """A transition that was asked for. It is open while `outcome` is None.

    `beats` counts how often whoever asked has shown to be there still.
    """

    number: Count
    request: TransitionRequest
    asked_at: EpochSeconds
    beats: Count = 0
    reply: TransitionReply | None = None
    outcome: TransitionOutcome | None = None
    ended_at: EpochSeconds | None = None


class TablePass(Struct, frozen=True, kw_only=True):
    """What one pass found in one table, in items.

    `found` differed when it came to them; of these `repaired` were put right, `in_flux` changed
    while they were looked at, and `left` differ still, of which the target has `refused` some.
    `rejected` are dead letters of the copy that differ.
    """

    source: str
    target: str
    items: Count = 0
    found: Count = 0
    repaired: Count = 0
    in_flux: Count = 0
    left: Count = 0
    refused: Count = 0
    rejected: Count = 0
    is_equal: bool = False


class PassRecord(Struct, frozen=True, kw_only=True):
    """One pass over all tables of a move without a stream: every key compared, and repaired.

    It is under way, or was killed, while `ended_at` is None. The parts of its time are in the order
    in which they come: it is opened, both sides are read, what differs is read once more, and
    repaired. No write of it can take effect later than `may_land_until`, where one may be on its
    way. `error` is why it did not come to its end; `is_complete` says that it did.
    """

    number: Count
    is_last: bool = False
    began_at: EpochSeconds
    ended_at: EpochSeconds | None = None
    opening_seconds: Amount = 0.0
    reading_seconds: Amount = 0.0
    settling_seconds: Amount = 0.0
    repairing_seconds: Amount = 0.0
    may_land_until: EpochSeconds | None = None
    is_complete: bool = False
    error: str | None = None
    tables: tuple[TablePass, ...] = ()

    @property
    def seconds(self) -> float:
        """How long it took, as far as it came."""
        parts = (self.opening_seconds, self.reading_seconds, self.settling_seconds)
        return sum(parts) + self.repairing_seconds

    @property
    def found(self) -> int:
        """The items of all tables that differed."""
        return sum(table.found for table in self.tables)

    @property
    def repaired(self) -> int:
        """The items of all tables that were put right."""
        return sum(table.repaired for table in self.tables)

    @property
    def items(self) -> int:
        """The items of all sources."""
        return sum(table.items for table in self.tables)
