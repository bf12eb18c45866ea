"""A target that is in use since a move was switched to it: no repair writes there.

What its application has written since differs from the source, and is what counts. A repair would
put the older items of the source over it, and delete what is new.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from anyio import to_thread

from dynaferry.errors import StateError
from dynaferry.run.lifecycle import closing
from dynaferry.state.directory import has_state
from dynaferry.state.move_records import MoveRecord
from dynaferry.state.sqlite.move_file import MoveFile
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.verify.preflight import TablePair


async def check_not_in_use(state_dir: Path, run: str, pairs: Sequence[TablePair]) -> None:
    """Returns unless a move of this run was switched from these sources to these targets.

    :raises StateError: it was, and has not gone back since
    """
    move: MoveRecord | None = None
    moved: set[tuple[str, str]] = set()
    with suppress(StateError):  # what a run that cannot be read was is not known here
        if not await to_thread.run_sync(has_state, state_dir, run):
            return
        file = await MoveFile.open(state_dir, run)
        async with closing(file):
            move = await file.read_move()
        store = await SqliteStore.open_for_reading(state_dir, run)
        async with closing(store):
            tables = (await store.read_run()).identity.tables
        moved = {(table.source_arn, table.target_arn) for table in tables}
    is_moved = any((pair.source.arn, pair.target.arn) in moved for pair in pairs)
    if move is not None and is_moved and is_in_use(move):
        raise StateError(
            f"the target of the move {run} is in use since its switch: a repair would put what the"
            " source held before over what its application has written",
            hint="leave --repair and --delete-extra out: what differs is listed, and what is right"
            " is the application's to say; dynaferry cut-back takes it back to the source",
        )


def is_in_use(move: MoveRecord) -> bool:
    """Whether the application writes the target, as far as the move knows. Pure."""
    if move.stage in ("switched", "going-back"):
        return True
    switched, returned = move.switched_at, move.returned_at
    has_returned = returned is not None and switched is not None and returned > switched
    return move.stage == "finished" and switched is not None and not has_returned
