from unittest.mock import Mock

import pytest
from msgspec import Raw

from dynaferry.copy.pending_page import Batch
from dynaferry.copy.rejects import RejectedItems, RejectionLimit
from dynaferry.copy.settlement import Rejection
from dynaferry.errors import ItemRefusedError, RejectedItemError
from dynaferry.ports import Delete


def test_what_is_beyond_the_limit_is_not_counted() -> None:
    limit = RejectionLimit(5, so_far=2)
    assert limit.allows(2)
    assert not limit.allows(2)
    assert limit.allows(1)
    assert not limit.allows(1)


def test_none_may_be_refused_where_the_limit_is_0() -> None:
    assert not RejectionLimit(0).allows(1)


async def test_a_delete_that_is_refused_ends_the_copy_since_it_leaves_no_item_to_keep() -> None:
    rejected = RejectedItems(
        Mock(),
        table=0,
        target="orders",
        key_of=lambda change: bytes(change.key if isinstance(change, Delete) else change),
        limit=RejectionLimit(10),
    )
    batch = Batch(3, 7, [Delete(Raw(b'{"pk":{"S":"a"}}'))])
    error = ItemRefusedError("no", code="ValidationException")
    with pytest.raises(RejectedItemError, match=r'"a".*ValidationException'):
        await rejected.set_aside(Rejection(batch, error))
