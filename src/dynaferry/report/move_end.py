"""Whether the move of a run has ended for good, as its state file has it."""

from pathlib import Path
from typing import Literal

from dynaferry.state.records import RunRecord
from dynaferry.state.sqlite.move_file import MoveFile

MoveEnd = Literal["finished", "aborted"]


async def move_end_of(state_dir: Path, record: RunRecord) -> MoveEnd | None:
    """How the move of this run has ended; None where it goes on, or the run is no move.

    :raises StateError: the file is foreign, or cannot be read
    """
    if record.identity.move is None:
        return None
    file = await MoveFile.open_for_reading(state_dir, record.run)
    try:
        move = await file.read_move()
    finally:
        await file.aclose()
    if move is not None and (move.stage == "finished" or move.stage == "aborted"):
        return move.stage
    return None
