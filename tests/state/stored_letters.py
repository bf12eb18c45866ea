"""Every dead letter of a run, as tests want to see them: also those beyond the watermarks."""

from dynaferry.state.records import DeadLetter
from dynaferry.state.sqlite import schema
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.state.store import StateStore

SELECT_ALL = """
    SELECT * FROM dead_letters WHERE ?1 IS NULL OR "table" = ?1
    ORDER BY "table", segment, page, key
"""


async def stored_letters(store: StateStore, table: int | None = None) -> list[DeadLetter]:
    """The letters of one table or of all, by table, segment and page."""
    assert isinstance(store, SqliteStore)
    return await store._records(schema.dead_letter_of, SELECT_ALL, table)
