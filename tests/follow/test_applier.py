"""The applier beside a target that does what targets do: `make fuzz-applier` tries many seeds."""

import pytest
from msgspec import Raw

from dynaferry.errors import ItemRefusedError
from dynaferry.follow.applier_work import Settled
from tests.follow.applier_stories import in_trouble, killed
from tests.follow.applier_world import LivingApplier, TargetWorld
from tests.follow.changes import change, image_of, key_named
from tests.follow.stream_world import Follower, StreamWorld, living


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
        applier._settlement.is_behind, applier._settlement._due_at = True, float("inf")
        file.store([change("bad", None)], (), 0.0)
        (deletion,) = file.waiting(0, 9)
        await applier._settle([Settled([deletion], 0.0, [])])
        file.store([change("bad", 1, view="KEYS_ONLY")], (), 0.0)
        (newer,) = file.waiting(0, 9)
        error = ItemRefusedError("it is bad", code="ValidationException")
        await applier._refused(newer, Raw(image_of("bad", 1)), error, 0.0)
        await applier._settlement.take_out()
        assert set(follower.file.letter_keys()) == {key_named("bad")}
        await living_applier.kill()
        await follower.kill()

    living(story)
