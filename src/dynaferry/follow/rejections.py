"""Items that the target refuses while a table is followed, and those that the copy set aside."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Raw

from dynaferry.copy.rejects import RejectionLimit
from dynaferry.dynamodb.items.canonical import canonical
from dynaferry.errors import ItemRefusedError, RejectedItemError, TooManyRejectedError
from dynaferry.follow.followed_table import FollowedTable
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.observe.stats import RunStats, TableStats
from dynaferry.plan.settings import CopyPlan, OnReject
from dynaferry.state.store import StateStore

if TYPE_CHECKING:
    from dynaferry.state.records import DeadLetter

_OPERATION = "BatchWriteItem"
_AT_ONCE = 1_000


class MoveRejections:
    """The rejected items of one table. A `RejectedChanges`.

    A dead letter of the copy is over once the target has accepted a newer state of its key. An item
    is counted once, however often the target refuses it: `refused` are the keys that were counted.
    """

    def __init__(
        self,
        store: StateStore,
        table: int,
        stats: TableStats,
        limit: RejectionLimit,
        on_reject: OnReject,
        letters: dict[bytes, "DeadLetter"] | None = None,
        refused: set[bytes] | None = None,
    ) -> None:
        self._store = store
        self._table = table
        self._stats = stats
        self._target = stats.target
        self._limit = limit
        self._on_reject = on_reject
        self._letters = letters or {}
        self._refused = refused or set()

    def keys(self) -> list[bytes]:
        """The keys of the copy's dead letters."""
        return list(self._letters)

    def check(self, key: bytes, error: ItemRefusedError) -> None:
        """Returns if the item under this key may be set aside; see `RejectedChanges`.

        :raises RejectedItemError: an item was refused and the move is to stop then
        :raises TooManyRejectedError: more items were refused than the run may set aside
        """
        words = f"{key.decode('utf-8', 'replace')}: {error.code}: {error.message}"
        if self._on_reject == "stop":
            raise RejectedItemError(
                f"the target {self._target} refused the item {words}",
                hint="repair the item or the target's schema, or continue with"
                " --on-reject dead-letter",
                operation=_OPERATION,
                table=self._target,
            )
        if key not in self._refused and not self._limit.allows(1):
            raise TooManyRejectedError(
                f"more than {self._limit.most:,} items were refused, at last by the target "
                f"{self._target} the item {words}",
                hint="the same command resumes, and --max-rejected keeps more of them",
                operation=_OPERATION,
                table=self._target,
            )
        self._refused.add(key)
        self._stats.note_rejection(f"{error.code}: {error.message}")

    async def accepted(self, keys: Sequence[bytes]) -> None:
        """The target holds the newest state of these keys; see `RejectedChanges`."""
        if not self._letters:
            return
        over = [letter for key in keys if (letter := self._letters.pop(key, None)) is not None]
        if over:
            counters = await self._store.read_counters(self._table)
            await self._store.settle_dead_letters(
                self._table, written=over, refused=(), counters=counters
            )


async def rejections_of(
    plan: CopyPlan, store: StateStore, tables: Sequence[FollowedTable], stats: RunStats
) -> list[MoveRejections]:
    """The rejections of a move's tables, whose limit counts what its copy has set aside as well."""
    letters = [await _letters_of(store, table.number) for table in tables]
    refused = [
        copied.keys() | await table.spool.run(SpoolFile.letter_keys)
        for copied, table in zip(letters, tables, strict=True)
    ]
    limit = RejectionLimit(plan.max_rejected, so_far=sum(len(keys) for keys in refused))
    return [
        MoveRejections(store, table.number, own, limit, plan.on_reject, copied, counted)
        for table, own, copied, counted in zip(tables, stats.tables, letters, refused, strict=True)
    ]


async def _letters_of(store: StateStore, table: int) -> dict[bytes, "DeadLetter"]:
    """The dead letters that the copy has left, by their keys."""
    found: dict[bytes, DeadLetter] = {}
    after = None
    while True:
        letters = await store.read_counted_dead_letters(table, after, _AT_ONCE)
        found |= {canonical(Raw(letter.key)): letter for letter in letters}
        if len(letters) < _AT_ONCE:
            return found
        after = letters[-1]
