"""From readers to writers: bounded, each batch once, and an end for everybody."""

import asyncio

import pytest
from msgspec import Raw

from dynaferry.copy.batcher import Batch
from dynaferry.copy.handover import Handover

BATCHES = [Batch(0, page, [Raw(b"{}")]) for page in range(50)]


async def _take_all(handover: Handover) -> list[Batch]:
    return [batch async for batch in handover.each()]


async def test_every_batch_is_taken_once_and_then_all_takers_end() -> None:
    handover = Handover(3, takers=4)
    takers = [asyncio.create_task(_take_all(handover)) for _ in range(4)]
    for batch in BATCHES:
        await handover.put(batch)
    await handover.close()
    taken = [batch for taker in takers for batch in await asyncio.wait_for(taker, 10)]
    assert sorted(batch.page for batch in taken) == [batch.page for batch in BATCHES]


async def test_no_more_batches_wait_than_there_is_room_for() -> None:
    handover = Handover(2, takers=1)
    await handover.put(BATCHES[0])
    await handover.put(BATCHES[1])
    putting = asyncio.create_task(handover.put(BATCHES[2]))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not putting.done()
    async for batch in handover.each():
        assert batch is BATCHES[0]
        break
    await asyncio.wait_for(putting, 10)


async def test_a_taker_that_is_cancelled_takes_no_batch_with_it() -> None:
    handover = Handover(2, takers=1)
    waiting = asyncio.create_task(_take_all(handover))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await handover.put(BATCHES[0])
    await handover.close()
    assert await asyncio.wait_for(_take_all(handover), 10) == BATCHES[:1]
