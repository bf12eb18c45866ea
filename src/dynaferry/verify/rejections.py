"""The keys of a copy's dead letters, so that a verification counts them apart."""

from collections.abc import Sequence

from anyio import to_thread

from dynaferry.dynamodb.items.canonical import canonical
from dynaferry.errors import StateError
from dynaferry.run.lifecycle import closing
from dynaferry.state.directory import has_state
from dynaferry.state.records import (
    DeadLetter,
    TableIdentity,
)
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.state.store import StateStore
from dynaferry.verify.preflight import TablePair
from dynaferry.verify.settings import VerifyPlan

LETTERS_READ_AT_ONCE = 100


async def rejected_keys(plan: VerifyPlan, pairs: Sequence[TablePair]) -> list[frozenset[bytes]]:
    """The canonical keys of the dead letters of each pair, from the copy's state file.

    Empty where there is no such file, or where the copy was of other tables.

    :raises StateError: the file is there and cannot be read
    """
    state_dir, run = plan.copy.state_dir, plan.copy.run_name
    if not await to_thread.run_sync(has_state, state_dir, run):
        return [frozenset()] * len(pairs)
    store = await SqliteStore.open_for_reading(state_dir, run)
    async with closing(store):
        copied = (await store.read_run()).identity.tables
        return [await _keys_of(store, _index_of(pair, copied)) for pair in pairs]


def _index_of(pair: TablePair, copied: Sequence[TableIdentity]) -> int | None:
    found = (index for index, table in enumerate(copied) if _is_of(table, pair))
    return next(found, None)


def _is_of(copied: TableIdentity, pair: TablePair) -> bool:
    """Whether these tables were copied, and not others that had their names before."""
    if (copied.source_arn, copied.target_arn) != (pair.source.arn, pair.target.arn):
        return False
    then_and_now = (
        (copied.source_table_id, pair.source.table_id),
        (copied.target_table_id, pair.target.table_id),
    )
    return all(then == now or None in (then, now) for then, now in then_and_now)


async def _keys_of(store: StateStore, table: int | None) -> frozenset[bytes]:
    keys: set[bytes] = set()
    after: DeadLetter | None = None
    while table is not None:
        letters = await store.read_counted_dead_letters(table, after, LETTERS_READ_AT_ONCE)
        keys.update(canonical(letter.key) for letter in letters)
        if not letters:
            break
        after = letters[-1]
    return frozenset(keys)


def unreadable_line(error: StateError) -> str:
    """The line for people where the copy's state cannot be read."""
    return f"the copy's rejected items are not counted apart from others: {error.message}"
