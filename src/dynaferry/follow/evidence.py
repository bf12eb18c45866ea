"""What a go rests on: what was shown, what of it is proof, and what neither can show. Pure.

For people in words, for scripts by name:

drained            every record of the source's stream was read: proof only for a stream that was
                   disabled and read to its end, where `bench facts` has measured that this is so
recent keys equal  the keys that changed last are equal, read consistently while nothing was written
all keys equal     every key of both tables is
no later writes    nobody writes to the source any more: what never can be proven from here
"""

from typing import Final, Literal

from msgspec import Struct

from dynaferry.state.facts_file import ClosedProof
from dynaferry.state.move_records import CutOverProof, CutOverVerify

ProofName = Literal["drained", "recent keys equal", "all keys equal", "no later writes"]
PROOF_NAMES: Final[tuple[ProofName, ...]] = (
    "drained",
    "recent keys equal",
    "all keys equal",
    "no later writes",
)


class Evidence(Struct, frozen=True):
    """For people what was shown and what not, and by name what was proven and what not."""

    shown: tuple[str, ...]
    not_shown: tuple[str, ...]
    proven: tuple[ProofName, ...]
    not_proven: tuple[ProofName, ...]


def evidence_of(
    proof: CutOverProof,
    verify: CutOverVerify,
    *,
    closed: ClosedProof | None,
    compared: int | None,
    silent_seconds: float,
) -> Evidence:
    """What a go rests on that was asked for like this.

    `closed` is what is known of streams that are disabled, `compared` how many keys were found
    equal on both sides, None where none was compared.
    """
    drained = _of_the_stream(proof, closed, silent_seconds)
    keys = _of_the_keys(verify, compared)
    proven = frozenset((*drained.proven, *keys.proven))
    return Evidence(
        shown=drained.shown + keys.shown,
        not_shown=drained.not_shown + keys.not_shown,
        proven=tuple(name for name in PROOF_NAMES if name in proven),
        not_proven=tuple(name for name in PROOF_NAMES if name not in proven),
    )


def _of_the_stream(
    proof: CutOverProof, closed: ClosedProof | None, silent_seconds: float
) -> Evidence:
    if proof == "observed" or closed is None:
        shown = f"no record came for {silent_seconds:.1f} s, on any shard"
        not_shown = "a record that the service still withholds, or a writer that only paused"
        return Evidence((shown,), (not_shown,), (), ())
    read = "every shard of the stream has ended and is read to its end"
    later = "a write to the source after its stream was disabled leaves no record"
    if closed.is_proof:
        return Evidence((f"{read}: proof, {closed.why}",), (later,), ("drained",), ())
    unproven = f"that a stream which was disabled holds every write before: {closed.why}"
    return Evidence((read,), (unproven, later), (), ())


def _of_the_keys(verify: CutOverVerify, compared: int | None) -> Evidence:
    if verify == "none" or compared is None:
        return Evidence((), ("that both sides are equal: no key was compared",), (), ())
    if verify == "full":
        shown = f"all keys are equal on both sides ({compared:,} compared)"
        return Evidence((shown,), (), ("recent keys equal", "all keys equal"), ())
    shown = f"the keys that changed last are equal on both sides ({compared:,} compared)"
    others = "that all other keys are equal: they are compared behind the go, with nobody waiting"
    return Evidence((shown,), (others,), ("recent keys equal",), ())
