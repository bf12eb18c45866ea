import pytest

from dynaferry.dynamodb.items.new_table import FOUND_EVERYWHERE_SECONDS, NewTable
from dynaferry.errors import TableNotFoundError, UnavailableError
from dynaferry.ports import BatchExchange
from tests.worlds.fakes import FakeTarget, wire_item


class NotFound(FakeTarget):
    """A table that no server finds."""

    async def write_batches(self, batches: BatchExchange) -> None:
        raise TableNotFoundError("no such table", operation="BatchWriteItem", table="orders")


def no_batches() -> BatchExchange:
    yield [wire_item("a")]


async def test_a_table_that_is_not_found_for_a_moment_after_it_was_made_is_asked_again() -> None:
    now = [100.0]
    target = NewTable(NotFound(), clock=lambda: now[0])
    with pytest.raises(UnavailableError, match="it was made a moment ago") as caught:
        await target.write_batches(no_batches())
    assert (caught.value.operation, caught.value.table) == ("BatchWriteItem", "orders")
    now[0] += FOUND_EVERYWHERE_SECONDS
    with pytest.raises(TableNotFoundError):
        await target.write_batches(no_batches())


async def test_what_is_found_is_written_as_it_would_be() -> None:
    fake = FakeTarget()
    target = NewTable(fake)
    await target.write_batches(no_batches())
    assert dict(fake.written) == {"a": 1}
    items = [wire_item("b"), wire_item("c")]
    assert target.units_of(items) == fake.units_of(items)
    assert target.key_of(items[0]) == fake.key_of(items[0])
