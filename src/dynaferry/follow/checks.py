"""What a check tells: everything that speaks against a switch, or against a way back, as of now."""

from collections.abc import Awaitable, Callable, Sequence

from dynaferry.errors import DynaferryError
from dynaferry.follow.cut_over import TableLook
from dynaferry.follow.switch_proof import SwitchProof
from dynaferry.follow.target_capture import TargetCapture
from dynaferry.run.lifecycle import first_reason
from dynaferry.state.move_records import CutOverProof, Stage


async def not_looked_at(refresh: Callable[[], Awaitable[None]]) -> tuple[str, ...]:
    """Looks at the targets; why they could not be looked at, which speaks against a switch."""
    unknown: tuple[str, ...] = ()
    try:
        await refresh()
    except* DynaferryError as group:
        unknown = (first_reason(group).message,)
    return unknown


async def not_provable(proof: SwitchProof, wanted: CutOverProof) -> tuple[str, ...]:
    """Why the wanted proof cannot be had; or why nobody knows, for a check is always answered."""
    found: tuple[str, ...] = ()
    try:
        found = await proof.refusals(wanted)
    except* DynaferryError as group:
        found = (first_reason(group).message,)
    return found


def reasons_against(looks: Sequence[TableLook], stage: Stage) -> tuple[str, ...]:
    """Against the switch of a move that is in this state."""
    reasons = tuple(
        f"{look.table}: {reason.told}" if len(looks) > 1 else reason.told
        for look in looks
        for reason in look.reasons
    )
    if stage not in ("following", "cutting-over") and not reasons:
        return (f"it is {stage}",)
    return reasons


async def reasons_against_back(targets: Sequence[TargetCapture]) -> tuple[str, ...]:
    """Against the way back of a move that was switched."""
    found = [(each.target, await each.counts(), each) for each in targets]
    return tuple(
        f"{target}: {reason.told}" if len(targets) > 1 else reason.told
        for target, counts, each in found
        for reason in each.reasons(counts)
    )
