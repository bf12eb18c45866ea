"""Replays dead letters, and kills itself at a named point: run by test_replay_kills.py.

Arguments: the request as JSON, the point, and how many times the point is passed before.
"""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from dynaferry.dead_letters import replay as story
from dynaferry.dead_letters.replay import ReplayRequest
from dynaferry.state.records import (
    DeadLetter,
    TableCounters,
)
from dynaferry.state.sqlite.store import Moment, SqliteStore
from tests.kills.copy_child import Executioner

BETWEEN = "between the target and the store"
INSIDE = "inside a settlement"
AFTER = "after a settlement"
POINTS = (BETWEEN, INSIDE, AFTER)


def stand_at_the_points(executioner: Executioner) -> None:
    """Has the replay tell the executioner where it is."""

    class DyingStore(SqliteStore):
        def reached(self, moment: Moment) -> None:
            executioner.pass_point(moment)

        async def settle_dead_letters(
            self,
            table: int,
            *,
            written: Sequence[DeadLetter],
            refused: Sequence[DeadLetter],
            counters: TableCounters,
        ) -> None:
            executioner.pass_point(BETWEEN)
            await super().settle_dead_letters(
                table, written=written, refused=refused, counters=counters
            )
            executioner.pass_point(AFTER)

    vars(story)["SqliteStore"] = DyingStore


def main() -> None:
    request = msgspec.json.decode(
        sys.argv[1], type=ReplayRequest, dec_hook=lambda _, path: Path(path)
    )
    stand_at_the_points(Executioner(sys.argv[2], int(sys.argv[3])))
    outcome = asyncio.run(story.replay(request))
    sys.stdout.buffer.write(msgspec.json.encode(outcome.summary))


if __name__ == "__main__":
    main()
