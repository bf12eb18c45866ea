"""Stories of an applier beside a target in trouble, each of which ends as the source."""

from random import Random

import anyio

from tests.follow.applier_world import LivingApplier, TargetWorld
from tests.follow.stream_world import Follower, StreamWorld, living, now


async def write_for(world: StreamWorld, seconds: float, chance: Random) -> None:
    """Few keys, so that they meet; some the target refuses, and accepts once they are deleted."""
    end, version = now() + seconds, 0
    while now() < end:
        version += 1
        for _ in range(chance.randint(1, 4)):
            name = f"bad{chance.randint(1, 2)}" if chance.random() < 0.05 else None
            deleted = chance.random() < 0.3
            world.write(name or f"k{chance.randint(1, 20)}", None if deleted else version)
        if chance.random() < 0.01:
            world.close(chance.choice([1, 2]))
        await anyio.sleep(chance.uniform(0, 0.1))


def in_trouble(seed: int) -> None:
    """The target throttles, leaves undone, refuses, and takes what it did not answer later."""

    async def story() -> None:
        world = StreamWorld(seed, trouble=0.05)
        target = TargetWorld(world, seed, trouble=0.4)
        follower = Follower(world)
        await follower.start()
        applier = LivingApplier(follower, target)
        applier.start()
        await write_for(world, 90, Random(seed))
        await anyio.sleep(400)
        assert target.late_writes > 0
        target.assert_is_the_source(follower.file)
        await applier.kill()
        await follower.kill()

    living(story)


def killed(seed: int) -> None:
    """It is killed at any moment, or stopped in order, ten times."""

    async def story() -> None:
        chance = Random(seed)
        world = StreamWorld(seed, trouble=0.05)
        target = TargetWorld(world, seed, trouble=0.3)
        follower = Follower(world)
        applier = LivingApplier(follower, target)
        for _ in range(10):
            await follower.start()
            applier.start()
            await write_for(world, chance.uniform(0.05, 8.0), chance)
            if chance.random() < 0.3:
                await applier.stop()
                await follower.kill()
                continue
            await applier.kill()
            await follower.kill()
            await applier.let_late_writes_land()
        await follower.start()
        applier.start()
        await anyio.sleep(400)
        target.assert_is_the_source(follower.file)
        await applier.kill()
        await follower.kill()

    living(story)
