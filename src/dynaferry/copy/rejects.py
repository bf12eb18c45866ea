"""Items that the target refuses for what they are: set aside, as many as a run may.

A few refusals are bad items. Thousands are a wrong target: an index of another key type, a table
with other keys. Setting them all aside would copy nothing and look busy.
"""

import time
from collections.abc import Callable

from dynaferry.copy.settlement import OPERATION, Rejection
from dynaferry.errors import RejectedItemError, TooManyRejectedError
from dynaferry.plan.settings import OnReject
from dynaferry.ports import Change, Delete
from dynaferry.state.records import DeadLetter
from dynaferry.state.store import CheckpointStore


class RejectionLimit:
    """Counts the refusals of all tables of a run, from `so_far` on."""

    def __init__(self, most: int, *, so_far: int = 0) -> None:
        self.most = most
        self._rejected = so_far

    def allows(self, more: int) -> bool:
        """Counts `more` refusals if they are within the limit, and says whether they are.

        What is beyond it is not counted: it is neither set aside nor acknowledged, so that it is
        read, and may be written, when the run goes on.
        """
        if self._rejected + more > self.most:
            return False
        self._rejected += more
        return True


class RejectedItems:
    """Stores the rejected items of one table as dead letters, or ends the copy, as it is told.

    `target` is the target's name for people, and `key_of` gives an item's key to show.
    """

    def __init__(
        self,
        store: CheckpointStore,
        *,
        table: int,
        target: str,
        key_of: Callable[[Change], bytes],
        limit: RejectionLimit,
        on_reject: OnReject = "dead-letter",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._table = table
        self._target = target
        self._key_of = key_of
        self._limit = limit
        self._on_reject = on_reject
        self._clock = clock

    async def set_aside(self, rejection: Rejection) -> None:
        """Returns when the item is durably a dead letter.

        :raises RejectedItemError: an item was refused and the run is to stop then
        :raises TooManyRejectedError: more items were refused than the run may set aside
        """
        batch, error = rejection.batch, rejection.error
        (change,) = batch.items
        if self._on_reject == "stop" or isinstance(change, Delete):  # no item to keep
            raise self._stopped_by(rejection)
        if not self._limit.allows(1):
            raise self._stopped_by_many(rejection)
        letter = DeadLetter(
            table=self._table,
            segment=batch.segment,
            page=batch.page,
            key=self._key_of(change),
            item=bytes(change),
            error_code=error.code,
            error_message=error.message,
            time=self._clock(),
        )
        await self._store.add_dead_letters([letter])

    def _stopped_by(self, rejection: Rejection) -> RejectedItemError:
        return RejectedItemError(
            f"the target {self._target} refused the item {self._words(rejection)}",
            hint="fix the item or the target's schema, or continue with --on-reject dead-letter",
            operation=OPERATION,
            table=self._target,
            segment=rejection.batch.segment,
        )

    def _stopped_by_many(self, rejection: Rejection) -> TooManyRejectedError:
        return TooManyRejectedError(
            f"more than {self._limit.most:,} items were refused, at last by the target "
            f"{self._target} the item {self._words(rejection)}",
            hint="so many speak of a wrong target, not of bad items: compare its keys and indexes "
            "with the source's; the same command resumes, and --max-rejected keeps more of them",
            operation=OPERATION,
            table=self._target,
            segment=rejection.batch.segment,
        )

    def _words(self, rejection: Rejection) -> str:
        key, error = self._key_of(rejection.batch.items[0]), rejection.error
        return f"{key.decode('utf-8', 'replace')}: {error.code}: {error.message}"
