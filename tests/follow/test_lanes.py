"""A throttle of the follower is laid at the door of some keys, or of the table, as in a copy."""

from random import Random

import anyio
import pytest

from dynaferry.errors import ThrottledError
from dynaferry.follow.lanes import LANES, Lanes
from dynaferry.follow.spool_records import Waiting
from dynaferry.ports import Change, ChangeKind, WriteResult
from tests.follow.applier_world import LivingApplier, TargetWorld
from tests.follow.stream_world import Follower, StreamWorld, living, now

HOT = "hot"
PER_SECOND = 20.0
TABLE = "arn:aws:dynamodb:us-east-1:222222222222:table/orders"


class NarrowTarget(TargetWorld):
    """Takes so many of some keys a second, and all of the others."""

    def __init__(self, world: StreamWorld, narrow: str) -> None:
        super().__init__(world, 0, trouble=0.0)
        self.narrow = narrow.encode()
        self.tried = 0
        self._saved, self._at = PER_SECOND, now()

    async def _write(self, batch: list[Change]) -> WriteResult:
        await anyio.sleep(0.005)
        self._saved = min(PER_SECOND, self._saved + PER_SECOND * (now() - self._at))
        self._at = now()
        undone = []
        for change in batch:
            if self.narrow in self.key_of(change):
                self.tried += 1
                if self._saved < 1.0:
                    undone.append(change)
                    continue
                self._saved -= 1.0
            self._take(change)
        return WriteResult(undone)


def a_row(name: str, digest: bytes = b"") -> Waiting:
    key = b'{"pk":{"S":"%b"}}' % name.encode()
    return Waiting(1, digest or name.encode(), key, 1, 0.0, ChangeKind.DELETE, None)


async def _all_written(narrow: str, hot: int, others: int) -> tuple[LivingApplier, NarrowTarget]:
    world = StreamWorld(shards=1)
    follower = Follower(world)
    await follower.start()
    target = NarrowTarget(world, narrow)
    living_applier = LivingApplier(follower, target, lane_of=lambda name: name.split(b"-")[0])
    for number in range(max(hot, others)):
        if number < hot:
            world.write(f"{HOT}-{number}", 1)
        if number < others:
            world.write(f"k{number}-", 1)
    await anyio.sleep(20)
    living_applier.start()
    return living_applier, target


def test_a_hot_partition_key_is_held_back_alone_and_is_not_tried_in_vain_for_ever() -> None:
    async def story() -> None:
        applier, target = await _all_written(HOT, hot=1_000, others=0)
        refused = 0.0
        for number in range(4_000):
            if number == 2_000:
                refused = applier.limiter.refused  # while there was nothing else, it was the table
            target.world.write(f"k{number}-", 1)
            await anyio.sleep(0.005)
        await anyio.sleep(2)
        hot = sum(HOT.encode() in key for key in target.items)
        assert len(target.items) - hot > 3_950  # one lane in 256 is the hot one
        assert 400 < hot < 700  # what it takes in that time
        assert applier.limiter.refused == refused
        assert target.tried < 9_000  # it would be 14,000
        await anyio.sleep(60)
        target.assert_is_the_source(applier.follower.file)
        await applier.kill()
        await applier.follower.kill()

    living(story)


def test_a_table_that_is_full_is_the_limiters_matter() -> None:
    async def story() -> None:
        applier, target = await _all_written("k", hot=0, others=400)
        await anyio.sleep(10)
        assert applier.limiter.refused > 100
        await anyio.sleep(40)
        target.assert_is_the_source(applier.follower.file)
        await applier.kill()
        await applier.follower.kill()

    living(story)


@pytest.mark.parametrize(
    ("names", "reason", "is_for_all"),
    [
        (["a"], "KeyRangeThroughputExceeded", False),
        (["a"], "TableWriteMaxOnDemandThroughputExceeded", True),
        (["a"], "IndexWriteKeyRangeThroughputExceeded", True),
        # Refused whole for a key range, and of many: nothing gets through.
        ([f"k{n}" for n in range(25)], "KeyRangeThroughputExceeded", True),
    ],
)
def test_what_the_service_names_decides(names: list[str], reason: str, is_for_all: bool) -> None:
    at = 0.0
    lanes = Lanes(None, clock=lambda: at)
    rows = [a_row(name, bytes([n])) for n, name in enumerate(names)]
    error = ThrottledError("full", code="ThrottlingException", reasons=[(reason, TABLE)])
    assert lanes.is_refused_for_all(rows, error) is is_for_all
    other = a_row("other", b"\xff")
    free = lanes.sendable([*rows, other])
    assert free == ([*rows, other] if is_for_all else [other])
    at = 1.0
    assert lanes.sendable([*rows, other]) == [*rows, other]


def test_a_lane_is_of_the_partition_key_alone() -> None:
    lanes = Lanes("pk")
    chance = Random(1)

    def lane(partition: str, sort: int) -> int:
        key = b'{"pk":{"S":"%b"},"sk":{"N":"%d"}}' % (partition.encode(), sort)
        return lanes.lane_of(Waiting(1, b"", key, 1, 0.0, ChangeKind.DELETE, None))

    assert {lane("a", chance.randrange(10**6)) for _ in range(100)} == {lane("a", 0)}
    found = {lane(f"k{n}", 0) for n in range(5_000)}
    assert len(found) == LANES
