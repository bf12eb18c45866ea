"""The switch, step by step: what is seen goes in, what is to be done comes out. Pure.

a. the writers stop: the rate is shown until it is none;
b. quiet: nothing has come for so long, on every shard, and what came is applied (`quiet`);
c. doubts: what became of each write is known, or it is a minute old and its key was read again;
d. the keys that changed last are equal on both sides, read consistently;
e. the way back is armed, and behind our own writes;
f. the writes to the target are held, and in one look that is taken then everything above is true.

Only such a look leads to `Go`. A change that comes at any point before begins again at b, and so
does a difference; a second one ends it. The time that was given never leads to a go, it ends it.
Who acts on a decision asks again with the next look; nothing here waits.
"""

from collections.abc import Iterator, Sequence
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from dynaferry.follow.evidence import ProofName, evidence_of
from dynaferry.follow.expiring import expiring
from dynaferry.follow.quiet import LEAST_SECONDS, Quiet
from dynaferry.follow.readiness import Reason, WayBack
from dynaferry.preflight.replication_words import REPLICATION_SECONDS
from dynaferry.state.facts_file import ClosedProof
from dynaferry.state.move_records import CutOverProof, CutOverVerify

CutOverStep = Literal[
    "writers",
    "quiet",
    "replication",
    "stream",
    "doubts",
    "compare",
    "way back",
    "hold",
    "go",
]

DEFAULT_TIMEOUT_SECONDS: Final = 120.0
# As long as changes came within the last second the writers have not stopped.
WRITING_SECONDS: Final = 1.0
WAY_BACK_QUIET_SECONDS: Final = 2.0
MOST_DIFFERING_ROUNDS: Final = 2


class CutOverRequest(Struct, frozen=True, kw_only=True):
    """What was asked for, and when it began on the clock of the looks.

    Silence counts from `stopped_at` on, when somebody said that the writers have stopped, or asked
    for the cut-over: of what was silent before nobody knows whether a write was just then made.
    """

    begun_at: float
    stopped_at: float
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    proof: CutOverProof = "observed"
    verify: CutOverVerify = "recent"


class TableLook(Struct, frozen=True, kw_only=True):
    """One table as it stands at one moment.

    `captured` counts its changes: where it differs from before, something has come. `is_drained`:
    the stream is disabled and every shard read to its end. `doubts_due_at` is when the youngest
    doubt can be settled. `is_held`: its applier sends nothing, and nothing is on its way.
    `way_back` is None where none is wanted. `late_regions` are those from which what is written
    there comes a little later, and `target_regions` those to which what is in the target does.
    """

    table: str
    quiet: Quiet
    captured: int
    last_change_at: float | None = None
    last_expiry_at: float | None = None
    changes_per_second: float = 0.0
    doubts: int = 0
    doubts_due_at: float | None = None
    is_drained: bool = False
    is_held: bool = False
    reasons: tuple[Reason, ...] = ()
    way_back: WayBack | None = None
    late_regions: tuple[str, ...] = ()
    target_regions: tuple[str, ...] = ()


class ComparedKeys(Struct, frozen=True):
    """A comparison of both sides, begun when so many changes were captured of each table."""

    captured: tuple[int, ...]
    keys: int
    differences: int


class CutOverProgress(Struct, frozen=True):
    """What of earlier looks matters. After a difference quiet begins again at `differed_at`;
    `closed` is what is known of streams that are disabled, once these are.
    """

    compared: ComparedKeys | None = None
    rounds_that_differed: int = 0
    differed_at: float | None = None
    closed: ClosedProof | None = None

    @property
    def is_closing(self) -> bool:
        """Whether the streams are asked to be disabled."""
        return self.closed is not None


class KeepWaiting(Struct, frozen=True):
    """Nothing is to be done now; writes that were held go on."""

    step: CutOverStep
    told: str
    seconds: float = 0.0


class CompareNow(Struct, frozen=True):
    """Both sides are to be compared, and `after_comparison` told."""

    what: Literal["recent", "full"]


class CloseStreams(Struct, frozen=True):
    """The streams are to be disabled: then every shard has an end that it can be read to."""


class HoldWrites(Struct, frozen=True):
    """Nothing more is to be sent to the target, and what is on its way to be waited for."""


class NotReady(Struct, frozen=True):
    """Nothing was switched, and why. Following goes on."""

    reasons: tuple[str, ...]


class Go(Struct, frozen=True, kw_only=True):
    """The target may be used, once this is durable: what was shown by it, and what was not.

    `proven` and `not_proven` say the same by the names of `evidence`; `seconds` are those from the
    last change to now, None where none was seen.
    """

    shown: tuple[str, ...]
    not_shown: tuple[str, ...]
    proven: tuple[ProofName, ...] = ()
    not_proven: tuple[ProofName, ...] = ()
    seconds: float | None


CutOverDecision = KeepWaiting | CompareNow | CloseStreams | HoldWrites | NotReady | Go


def decide(
    request: CutOverRequest, progress: CutOverProgress, looks: Sequence[TableLook], now: float
) -> CutOverDecision:
    """What is to be done at `now`, where all tables of the move stand like this."""
    lasting = _reasons(looks, only_lasting=True)
    if progress.rounds_that_differed >= MOST_DIFFERING_ROUNDS:
        return NotReady(("keys differ on both sides, twice: dynaferry verify says which",))
    if lasting:
        return NotReady(lasting)
    waits = (
        _for_writers(looks, now)
        or (_for_stream(request, progress, looks) if progress.is_closing else None)
        or _for_quiet(request, progress, looks, now)
        or _for_replication(looks, now)
        or _for_stream(request, progress, looks)
        or _for_doubts(looks, now)
        or _for_comparison(request, progress, looks)
        or _for_way_back(looks)
        or _for_passing_reasons(looks)
        or (None if all(look.is_held for look in looks) else HoldWrites())
    )
    if now - request.begun_at >= request.timeout_seconds:
        return NotReady(_once_timed_out(request, waits))
    return waits or _go(request, progress, looks, now)


def keeps_writes_held(decision: CutOverDecision) -> bool:
    """Whether writes that are held stay so: behind any other decision what comes is applied."""
    return isinstance(decision, HoldWrites | Go)


def after_comparison(
    progress: CutOverProgress, compared: ComparedKeys, now: float
) -> CutOverProgress:
    """With what a comparison has found."""
    if not compared.differences:
        return replace(progress, compared=compared)
    return replace(
        progress,
        compared=None,
        rounds_that_differed=progress.rounds_that_differed + 1,
        differed_at=now,
    )


def after_closing(progress: CutOverProgress, closed: ClosedProof) -> CutOverProgress:
    """The streams are asked to be disabled, and that is proof or is not."""
    return replace(progress, closed=closed)


def _for_writers(looks: Sequence[TableLook], now: float) -> KeepWaiting | None:
    """a. Somebody writes still."""
    ages = [now - look.last_change_at for look in looks if look.last_change_at is not None]
    if not ages or min(ages) >= WRITING_SECONDS:
        return None
    rate = sum(look.changes_per_second for look in looks)
    told = f"stop the writers now: {rate:,.0f} changes/s, the last {max(0.0, min(ages)):.1f} s ago"
    return KeepWaiting("writers", told + expiring([look.last_expiry_at for look in looks], now))


def _for_quiet(
    request: CutOverRequest, progress: CutOverProgress, looks: Sequence[TableLook], now: float
) -> KeepWaiting | None:
    """b. Something came, or may come."""
    for look in looks:
        if look.quiet.since < request.stopped_at:
            told = "silence is counted from when the writers were to have stopped"
            return KeepWaiting("quiet", _of(look, looks, told), look.quiet.asked_seconds)
        if not look.quiet.holds:
            waits = ", ".join(look.quiet.waits_for) + expiring([look.last_expiry_at], now)
            return KeepWaiting("quiet", _of(look, looks, f"waits for {waits}"), look.quiet.seconds)
    if progress.differed_at is not None:
        left = progress.differed_at + LEAST_SECONDS - now
        if left > 0:
            return KeepWaiting("quiet", "a key differed: everything is looked at once more", left)
    return None


def _for_replication(looks: Sequence[TableLook], now: float) -> KeepWaiting | None:
    """b, for a global table: what was written in another Region is in no stream here yet."""
    for look in looks:
        left = look.quiet.since + REPLICATION_SECONDS - now
        if look.late_regions and left > 0:
            regions = ", ".join(look.late_regions)
            told = f"waits {left:.0f} s more for what {regions} may replicate yet"
            return KeepWaiting("replication", _of(look, looks, told), left)
    return None


def _for_stream(
    request: CutOverRequest, progress: CutOverProgress, looks: Sequence[TableLook]
) -> KeepWaiting | CloseStreams | None:
    """b, where a proof is asked for: each shard has ended and is read to its end."""
    if request.proof != "closed" or all(look.is_drained for look in looks):
        return None
    if not progress.is_closing:
        return CloseStreams()
    return KeepWaiting("stream", "waits until the stream is disabled and every shard read")


def _for_doubts(looks: Sequence[TableLook], now: float) -> KeepWaiting | None:
    """c. A write whose outcome nobody knows may land yet, and undo what is newer."""
    doubts = sum(look.doubts for look in looks)
    if not doubts:
        return None
    due = max((look.doubts_due_at for look in looks if look.doubts_due_at), default=now)
    left = max(0.0, due - now)
    writes = f"of {doubts:,} writes nobody knows what became of them"
    until = f"they are read again in {left:.0f} s" if left else "they are read again"
    return KeepWaiting("doubts", f"{writes}: {until}", left)


def _for_comparison(
    request: CutOverRequest, progress: CutOverProgress, looks: Sequence[TableLook]
) -> CompareNow | None:
    """d. What changed last is the same on both sides; a comparison ends with the next change."""
    if request.verify == "none":
        return None
    compared, captured = progress.compared, captured_of(looks)
    if compared is not None and compared.captured == captured:
        return None
    return CompareNow(request.verify)


def _for_way_back(looks: Sequence[TableLook]) -> KeepWaiting | None:
    """e. What the target's stream shows from now on are the application's writes."""
    for look in looks:
        way_back = look.way_back
        if way_back is not None and way_back.quiet_seconds < WAY_BACK_QUIET_SECONDS:
            left = WAY_BACK_QUIET_SECONDS - way_back.quiet_seconds
            told = "waits until the target's stream has shown all of our own writes"
            return KeepWaiting("way back", _of(look, looks, told), left)
    return None


def _for_passing_reasons(looks: Sequence[TableLook]) -> KeepWaiting | None:
    told = _reasons(looks, only_lasting=False)
    return KeepWaiting("quiet", "; ".join(told)) if told else None


def _once_timed_out(request: CutOverRequest, waits: CutOverDecision | None) -> tuple[str, ...]:
    told = f"{request.timeout_seconds:g} s are over"
    return (f"{told}: {waits.told}" if isinstance(waits, KeepWaiting) else told,)


def _go(
    request: CutOverRequest, progress: CutOverProgress, looks: Sequence[TableLook], now: float
) -> Go:
    evidence = evidence_of(
        request.proof,
        request.verify,
        closed=progress.closed,
        compared=None if progress.compared is None else progress.compared.keys,
        silent_seconds=min(now - look.quiet.since for look in looks),
    )
    at = max((look.last_change_at for look in looks if look.last_change_at), default=None)
    return Go(
        shown=evidence.shown,
        not_shown=(*evidence.not_shown, *_not_replicated(looks)),
        proven=evidence.proven,
        not_proven=evidence.not_proven,
        seconds=None if at is None else max(0.0, now - at),
    )


def _not_replicated(looks: Sequence[TableLook]) -> Iterator[str]:
    """What other Regions of global tables may have and may lack."""
    if late := sorted({each for look in looks for each in look.late_regions}):
        yield f"a write in {', '.join(late)} that is not replicated yet"
    if behind := sorted({each for look in looks for each in look.target_regions}):
        yield f"that {', '.join(behind)} have everything too: the target replicates a moment later"


def captured_of(looks: Sequence[TableLook]) -> tuple[int, ...]:
    """How many changes of each table were captured."""
    return tuple(look.captured for look in looks)


def _of(look: TableLook, looks: Sequence[TableLook], told: str) -> str:
    return f"{look.table}: {told}" if len(looks) > 1 else told


def _reasons(looks: Sequence[TableLook], *, only_lasting: bool) -> tuple[str, ...]:
    return tuple(
        _of(look, looks, reason.told)
        for look in looks
        for reason in look.reasons
        if reason.lasts or not only_lasting
    )
