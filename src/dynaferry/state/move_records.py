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
    """What is asked of a move, and for how long it may take."""

    what: TransitionKind
    timeout_seconds: Annotated[float, Meta(gt=0, le=86_400 * 7)] = 120.0
    proof: CutOverProof = "observed"
    verify: CutOverVerify = "recent"


class TransitionReply(Struct, frozen=True, kw_only=True):
    """What the move says of it by now: the step it is at and since when, in words.

    `lines` is everything that was said so far, in order. `reasons` are those against it, `shown`
    and `not_shown` what a go rests on; `seconds` from the last change to the go.
    """

    step: str
    since: EpochSeconds
    lines: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    not_shown: tuple[str, ...] = ()
    seconds: Amount | None = None


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
