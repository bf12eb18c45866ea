"""Items that the target refuses while a table is followed, and those that the copy set aside."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Raw

from dynaferry.copy.rejects import RejectionLimit
from dynaferry.dynamodb.items.canonical import canonical
from dynaferry.errors import ItemRefusedError, RejectedItemError, TooManyRejectedError
from dynaferry.plan.settings import OnReject
from dynaferry.state.store import StateStore

if TYPE_CHECKING:
    from dynaferry.state.records import DeadLetter

_OPERATION = "BatchWriteItem"
_AT_ONCE = 1_000


class MoveRejections:
    """The rejected items of one table. A `RejectedChanges`.

    A dead letter of the copy is over once the target has accepted a newer state of its key.
    """

    def __init__(
        self,
        store: StateStore,
        table: int,
        target: str,
        limit: RejectionLimit,
        on_reject: OnReject,
    ) -> None:
        self._store = store
        self._table = table
        self._target = target
        self._limit = limit
        self._on_reject = on_reject
        self._letters: dict[bytes, DeadLetter] = {}

    async def begin(self) -> None:
        """Learns the dead letters that the copy has left."""
        after = None
        while True:
            letters = await self._store.read_counted_dead_letters(self._table, after, _AT_ONCE)
            self._letters |= {canonical(Raw(letter.key)): letter for letter in letters}
            if len(letters) < _AT_ONCE:
                return
            after = letters[-1]

    def check(self, key: bytes, error: ItemRefusedError) -> None:
        """Returns if the item under this key may be set aside; see `RejectedChanges`.

        :raises RejectedItemError: an item was refused and the move is to stop then
        :raises TooManyRejectedError: more items were refused than the run may set aside
        """
        words = f"{key.decode('utf-8', 'replace')}: {error.code}: {error.message}"
        if self._on_reject == "stop":
            raise RejectedItemError(
                f"the target {self._target} refused the item {words}",
                hint="repair the item or the target's schema, or go on with"
                " --on-reject dead-letter",
                operation=_OPERATION,
                table=self._target,
            )
        if not self._limit.allows(1):
            raise TooManyRejectedError(
                f"more than {self._limit.most:,} items were refused, at last by the target "
                f"{self._target} the item {words}",
                hint="the same command goes on, and --max-rejected sets more aside",
                operation=_OPERATION,
                table=self._target,
            )

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
