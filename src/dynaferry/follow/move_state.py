"""The states of a move, what each command may do in which, and which side is written. Pure.

One direction applies at a time, and the state says which: so nothing that was written by one is
taken for a change and written back by the other. The source is written in `going-back` alone, which
only `cut-back` leads to.
"""

from typing import Final, Literal

from msgspec import Struct

from dynaferry.state.move_records import Stage

MoveCommand = Literal["move", "forward", "cut-over", "cut-back", "finish", "abort"]
# What a move does by itself, or what a transition ends with.
MoveEvent = Literal[
    "the scan begins",
    "the copy is complete",
    "the replay is over",
    "records were lost",
    "every key was compared",
    "go",
    "nothing was switched",
]
Direction = Literal["forward", "back"]
Side = Literal["source", "target"]

_BEFORE_THE_SWITCH: Final[tuple[Stage, ...]] = (
    "capturing",
    "copying",
    "replaying",
    "following",
    "re-syncing",
)
_OVER: Final[tuple[Stage, ...]] = ("finished", "aborted")
STAGES: Final[tuple[Stage, ...]] = (
    *_BEFORE_THE_SWITCH,
    "cutting-over",
    "switched",
    "going-back",
    "returned",
    *_OVER,
)


class AllowedCommand(Struct, frozen=True):
    """The command is done, and the move is in the state `to` then, or on its way there.

    `is_done_already`: it was done before, so there is nothing left to do.
    """

    to: Stage
    is_done_already: bool = False


class RefusedCommand(Struct, frozen=True):
    """The command is not done, why, and what could be done; nothing has changed."""

    why: str
    hint: str | None = None


def asked(
    command: MoveCommand, stage: Stage, *, has_way_back: bool = True
) -> AllowedCommand | RefusedCommand:
    """Whether a command may be done in this state. Nothing but this decides it."""
    if stage in _OVER:
        return _asked_once_over(command, stage)
    match command:
        case "move":
            return _asked_to_move(stage)
        case "forward":
            return _asked_to_go_forward(stage)
        case "cut-over":
            return _asked_to_cut_over(stage)
        case "cut-back":
            return _asked_to_cut_back(stage, has_way_back=has_way_back)
        case "finish":
            return _asked_to_finish(stage)
        case "abort":
            return _asked_to_abort(stage)


def after(event: MoveEvent, stage: Stage) -> Stage:
    """The state behind what has happened.

    :raises ValueError: that cannot happen in this state
    """
    try:
        return _AFTER[event, stage]
    except KeyError:
        raise ValueError(f"{event!r} cannot happen while it is {stage}") from None


def direction(stage: Stage) -> Direction | None:
    """Which way changes are applied in this state; None where none are.

    While it is copied the spool only grows, and after a switch both sides' changes only wait.
    """
    if stage in ("replaying", "following", "re-syncing", "cutting-over"):
        return "forward"
    return "back" if stage == "going-back" else None


def written_side(stage: Stage) -> Side | None:
    """The side that dynaferry may write to in this state; None for neither."""
    if stage in ("copying", "replaying", "following", "re-syncing", "cutting-over"):
        return "target"
    return "source" if stage == "going-back" else None


def is_over(stage: Stage) -> bool:
    """Whether nothing is captured and nothing applied any more."""
    return stage in _OVER


def _asked_once_over(command: MoveCommand, stage: Stage) -> AllowedCommand | RefusedCommand:
    if (command, stage) in (("finish", "finished"), ("abort", "aborted")):
        return AllowedCommand(stage, is_done_already=True)
    return RefusedCommand(
        f"the move is {stage}: nothing is captured any more",
        "begin another with --run"
        + (", or start over with --restart" if stage == "aborted" else ""),
    )


def _asked_to_move(stage: Stage) -> AllowedCommand:
    """The same command goes on. What was under way when its process ended was not done."""
    if stage == "cutting-over":
        return AllowedCommand("following")
    if stage == "going-back":
        # What was written back already is the newest state of its keys, and is written again.
        return AllowedCommand("switched")
    return AllowedCommand(stage)


def _asked_to_go_forward(stage: Stage) -> AllowedCommand | RefusedCommand:
    """What changed in the source since it went back is applied to the target."""
    if stage == "returned":
        return AllowedCommand("following")
    if stage in (*_BEFORE_THE_SWITCH, "cutting-over"):
        return AllowedCommand(stage, is_done_already=True)
    return RefusedCommand(
        "the target is in use since the switch: what it holds is not to be written over",
        "dynaferry cut-back goes back to the source first",
    )


def _asked_to_cut_over(stage: Stage) -> AllowedCommand | RefusedCommand:
    if stage in ("following", "returned"):
        return _forward_from(stage)
    if stage == "switched":
        return AllowedCommand(stage, is_done_already=True)
    if stage == "cutting-over":
        return RefusedCommand("another cut-over is under way", "wait for it, or stop it")
    if stage == "going-back":
        return RefusedCommand("it is on its way back to the source", "wait for the cut-back to end")
    return RefusedCommand(
        f"it is {stage}, so the target does not hold everything yet",
        "ask again once it is following",
    )


def _forward_from(stage: Stage) -> AllowedCommand | RefusedCommand:
    if stage == "following":
        return AllowedCommand("cutting-over")
    return RefusedCommand(
        "the move went back to the source, and nothing was applied to the target since",
        "let it follow again: dynaferry move … --forward",
    )


def _asked_to_cut_back(stage: Stage, *, has_way_back: bool) -> AllowedCommand | RefusedCommand:
    if stage == "returned":
        return AllowedCommand(stage, is_done_already=True)
    if stage == "going-back":
        return RefusedCommand("another cut-back is under way", "wait for it, or stop it")
    if stage != "switched":
        return RefusedCommand(
            "nothing was switched: the source is what it was, and there is nothing to go back from",
            "dynaferry abort ends the move",
        )
    if not has_way_back:
        return RefusedCommand(
            "the move was started with --way-back none, so what was written to the target since the"
            " switch was not captured",
            "dynaferry verify shows what the tables differ in",
        )
    return AllowedCommand("going-back")


def _asked_to_finish(stage: Stage) -> AllowedCommand | RefusedCommand:
    if stage in ("switched", "returned"):
        return AllowedCommand("finished")
    if stage == "going-back":
        return RefusedCommand("it is on its way back to the source", "wait for the cut-back to end")
    return RefusedCommand(
        "nothing was switched yet",
        "dynaferry cut-over switches, dynaferry abort ends the move without",
    )


def _asked_to_abort(stage: Stage) -> AllowedCommand | RefusedCommand:
    if stage in (*_BEFORE_THE_SWITCH, "cutting-over"):
        return AllowedCommand("aborted")
    if stage == "returned":
        return RefusedCommand(
            "the writers are back on the source already", "dynaferry finish ends the move"
        )
    return RefusedCommand(
        "the target is in use since the switch",
        "dynaferry cut-back goes back to the source, dynaferry finish ends the move",
    )


# A copy that began anew after a crash begins its scan again; a gap may be found at any time, and
# while it is copied or replayed it stays what it is until that is over.
_AFTER: Final[dict[tuple[MoveEvent, Stage], Stage]] = {
    ("the scan begins", "capturing"): "copying",
    ("the scan begins", "copying"): "copying",
    ("the copy is complete", "copying"): "replaying",
    ("the replay is over", "replaying"): "following",
    ("records were lost", "capturing"): "capturing",
    ("records were lost", "copying"): "copying",
    ("records were lost", "replaying"): "replaying",
    ("records were lost", "following"): "re-syncing",
    ("records were lost", "re-syncing"): "re-syncing",
    ("records were lost", "cutting-over"): "re-syncing",
    # Of late writes, or of the way back: nothing that is applied lacks them.
    ("records were lost", "switched"): "switched",
    ("every key was compared", "re-syncing"): "following",
    ("go", "cutting-over"): "switched",
    ("go", "going-back"): "returned",
    ("nothing was switched", "cutting-over"): "following",
    ("nothing was switched", "going-back"): "switched",
}
