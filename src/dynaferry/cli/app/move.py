"""`dynaferry move`: what can be typed. Its options are those of `copy`, and how to follow."""

import inspect
from typing import Annotated, Any, get_type_hints

from dynaferry.cli.app.copy import copy
from dynaferry.cli.app.panels import SAFETY, SOURCE, TARGET, examples, option
from dynaferry.cli.flags import CopyFlags, MoveFlags, WayBackFlag

MOVE_EXAMPLES = examples(
    "# Check first: the tables, the stream, the rights, the cost; writes nothing.",
    "dynaferry move orders orders --create-target --dry-run \\",
    "    --target-role-arn arn:aws:iam::222222222222:role/dynaferry-target",
    "# Copy a table that is in use and follow it, until Ctrl-C. Again, to resume.",
    "dynaferry move orders orders --create-target \\",
    "    --target-role-arn arn:aws:iam::222222222222:role/dynaferry-target",
)

# Not of a move, which has no end by itself: what is done, or has to be, when a copy is complete.
_NOT_OF_A_MOVE = ("after_copy", "finish_by")


def _follow_options(
    source_streams_endpoint_url: Annotated[
        str | None,
        option(
            SOURCE,
            "Where the source's stream is read: an interface endpoint, or a stand-in.",
            metavar="URL",
        ),
    ] = None,
    target_streams_endpoint_url: Annotated[
        str | None,
        option(
            TARGET,
            "Where the target's stream is read, which a way back needs.",
            metavar="URL",
        ),
    ] = None,
    enable_stream: Annotated[
        bool | None,
        option(
            SAFETY,
            "Enable a stream with NEW_IMAGE on a source that has none, after asking; nothing else"
            " of a source is ever changed.",
            "--enable-stream/--no-enable-stream",
        ),
    ] = None,
    without_stream: Annotated[
        bool | None,
        option(
            SAFETY,
            "Follow without a stream: compare and repair all, pass after pass; the outage of the"
            " switch is one pass, and announced beforehand.",
            "--without-stream/--no-without-stream",
        ),
    ] = None,
    yes: Annotated[
        bool, option(SAFETY, "Enable it without asking.", "--yes", show_default=False)
    ] = False,
    spool_max_bytes: Annotated[
        int | None,
        option(
            SAFETY,
            "Disk that what waits may take; beyond, keys are kept and items read again."
            " [default: half of what is free]",
            metavar="N",
        ),
    ] = None,
    way_back: Annotated[
        WayBackFlag | None,
        option(
            SAFETY,
            "Whether the target's stream is captured, so that cut-back can go back; a target"
            " without a stream gets one. [default: none]",
        ),
    ] = None,
    forward: Annotated[
        bool,
        option(
            SAFETY,
            "Follow the source again after a cut-back.",
            "--forward",
            show_default=False,
        ),
    ] = False,
) -> None:
    """The options that only a move has."""


def move(**typed: Any) -> int:
    """Move a table, or the tables of a plan, while the source is written. Again, to resume.

    Captures what changes from before the first read on, copies, applies what was captured, and
    follows the source's stream until it is interrupted.

    Exit codes: 2 usage or plan error; 3 refused before anything was written; 5 stopped by an error,
    resumable; 130 interrupted, resumable.
    """
    followed = {name: typed.pop(name) for name in inspect.signature(_follow_options).parameters}
    flags = MoveFlags(copy=CopyFlags(**typed), **followed)
    from dynaferry.cli.commands.move import run_move

    return run_move(flags)


def _declared() -> None:
    """Gives `move` the parameters that Typer reads: a function has them in its signature only."""
    of_copy = inspect.signature(copy).parameters.values()
    own = inspect.signature(_follow_options).parameters.values()
    parameters = [p for p in (*of_copy, *own) if p.name not in _NOT_OF_A_MOVE]
    hints = get_type_hints(copy, include_extras=True)
    hints |= get_type_hints(_follow_options, include_extras=True)
    move.__signature__ = inspect.Signature(parameters, return_annotation=int)  # type: ignore[attr-defined]
    move.__annotations__ = {p.name: hints[p.name] for p in parameters} | {"return": int}


_declared()
