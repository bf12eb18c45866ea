"""The applier beside a target that does what targets do: `make fuzz-applier` tries many seeds."""

from random import Random

import anyio
import pytest
from msgspec import Raw

from dynaferry.errors import ItemRefusedError
from dynaferry.follow.applied_rows import AppliedRows
from dynaferry.follow.applier_work import Settled
from tests.follow.applier_stories import in_trouble, killed, write_for
from tests.follow.applier_world import LivingApplier, TargetWorld
from tests.follow.changes import change, image_of, key_named
from tests.follow.stream_world import Follower, SpoolAtHand, StreamWorld, living


@pytest.mark.parametrize("seed", range(2))
def test_whatever_the_target_does_it_ends_as_the_source(seed: int) -> None:
    in_trouble(seed)


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_any_moment_it_ends_as_the_source(seed: int) -> None:
    killed(seed)


def test_what_is_taken_out_of_the_spool_late_takes_no_newer_dead_letter_with_it() -> None:
    """While much waits: the target holds a deletion, and refuses what came after it."""

    async def story() -> None:
        world = StreamWorld()
        follower = Follower(world)
        await follower.start()
        living_applier = LivingApplier(follower, TargetWorld(world, 0, trouble=0.0))
        living_applier.start()
        applier, file = living_applier.applier, follower.file
        applier._applied_rows.is_behind, applier._applied_rows._due_at = True, float("inf")
        file.store([change("bad", None)], (), 0.0)
        (deletion,) = file.waiting(0, 9)
        await applier._settle([Settled([deletion], 0.0, [])])
        file.store([change("bad", 1, view="KEYS_ONLY")], (), 0.0)
        (newer,) = file.waiting(0, 9)
        error = ItemRefusedError("it is bad", code="ValidationException")
        await applier._refused(newer, Raw(image_of("bad", 1)), error, 0.0)
        await applier._applied_rows.take_out()
        assert set(follower.file.letter_keys()) == {key_named("bad")}
        await living_applier.kill()
        await follower.kill()

    living(story)


def test_a_full_disk_ends_nothing_and_loses_nothing() -> None:
    """What is on its way is answered, and is known to be applied once there is room."""

    async def story() -> None:
        chance = Random(5)
        world = StreamWorld(5, trouble=0.05)
        target = TargetWorld(world, 5, trouble=0.3)
        follower = Follower(world)
        await follower.start()
        living_applier = LivingApplier(follower, target)
        living_applier.start()
        for seconds in (10, 40, 61):  # with what was in doubt due in the midst of it
            await write_for(world, seconds, chance)
            follower.spool.is_full = True
            await write_for(world, 20, chance)
            assert "full" in (follower.capture.stats.disk_error or "")
            follower.spool.is_full = False
        await anyio.sleep(400)
        assert follower.spool.disk_error is None
        target.assert_is_the_source(follower.file)
        await living_applier.kill()
        await follower.kill()

    living(story)


def test_what_has_to_be_stored_is_stored_once_the_disk_has_room() -> None:
    async def story() -> None:
        follower = Follower(StreamWorld())
        await follower.start()
        follower.file.store([change("a", 1)], (), 0.0)
        spool = follower.spool = SpoolAtHand(follower.file)
        applied_rows = AppliedRows(spool)
        applied_rows.add(follower.file.waiting(0, 9), 0.0)
        spool.is_full = True
        async with anyio.create_task_group() as group:
            group.start_soon(applied_rows.take_out)
            await anyio.sleep(10)
            assert "full" in (spool.disk_error or "")
            assert not applied_rows.is_empty
            spool.is_full = False
        assert applied_rows.is_empty
        assert spool.disk_error is None
        assert follower.file.counts().applied == 1
        await follower.kill()

    living(story)
