"""Says once what a move costs a day at the rate of changes that it sees."""

from collections.abc import Sequence
from typing import Final

from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.dynamodb.tables.describe import describe_table
from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.dynamodb.tables.replication import with_replication
from dynaferry.errors import DynaferryError
from dynaferry.follow.followed_table import FollowedTable
from dynaferry.observe.move_status import MoveStatus
from dynaferry.plan.settings import CopyPlan
from dynaferry.preflight.estimate import as_created
from dynaferry.preflight.following import FollowingCost, cost_line, following_cost
from dynaferry.preflight.item_cost import average_item_bytes
from dynaferry.run.lifecycle import Say

# What is said of the first seconds would be of what has come before.
FIRST_SECONDS: Final = 60.0
# A newest record that is older is one of what has come before, where records come at all.
CURRENT_SECONDS: Final = 60.0


class CostNote:
    """The note on what a move costs, said once it can be told."""

    def __init__(self, plan: CopyPlan, target: AccountSession, say: Say, now: float) -> None:
        self._plan = plan
        self._target = target
        self._say = say
        self._until = now + FIRST_SECONDS
        self._is_said = False

    async def look(
        self, tables: Sequence[FollowedTable], seen: Sequence[MoveStatus], now: float
    ) -> None:
        """Takes how the tables stand `now`."""
        if self._is_said or now < self._until or not all(map(_is_current, seen)):
            return
        if not any(status.changes_in_per_second for status in seen):
            return
        self._is_said = True
        costs = [await self._cost(table, s) for table, s in zip(tables, seen, strict=True)]
        self._say(f"what following costs: {cost_line(costs)}")

    async def _cost(self, table: FollowedTable, seen: MoveStatus) -> FollowingCost:
        stats = table.capture.stats
        # A table of which the service counts nothing yet is judged by its stream.
        size = average_item_bytes(table.seen) or stats.bytes_read / max(1, stats.changes)
        return following_cost(
            self._plan,
            table.seen,
            await self._target_of(table),
            changes_per_second=seen.changes_in_per_second,
            shards=max(1, seen.shards_open),
            item_bytes=size,
        )

    async def _target_of(self, table: FollowedTable) -> TableDescription:
        try:
            there = await describe_table(self._target, table.target)
            return await with_replication(self._target, there)
        except DynaferryError:  # it is not there yet, or cannot be looked at now
            return as_created(table.seen)


def _is_current(seen: MoveStatus) -> bool:
    age = seen.record_age_seconds
    return not seen.changes_in_per_second or (age is not None and age < CURRENT_SECONDS)
