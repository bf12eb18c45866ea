"""Before the switch a target's stream is read from its ends, and never behind it."""

from collections.abc import Sequence

import pytest

from dynaferry.follow.from_now import FromNow
from dynaferry.ports import ChangePage, Shard, StreamListing


class Source:
    """Says how each iterator was asked for; `meanwhile` happens while the service makes one."""

    def __init__(self) -> None:
        self.passes_over = True
        self.ends_meanwhile = False

    async def list_shards(self, seconds_a_page: float = 0.0) -> StreamListing:
        return StreamListing([], is_enabled=True, view="NEW_IMAGE", status="ENABLED")

    async def children_of(self, shard: str) -> Sequence[Shard]:
        return [Shard(f"{shard}-child", shard, None)]

    async def newest(self, shard: str) -> str:
        if self.ends_meanwhile:
            self.passes_over = False
        return f"{shard}: newest"

    async def iterator(self, shard: str, after: int | None) -> str:
        return f"{shard}: after {after}"

    async def read_changes(self, iterator: str) -> ChangePage:
        return ChangePage([], None, iterator, 0)


@pytest.mark.parametrize("after", [None, 7])
async def test_a_shard_is_read_from_its_end_while_all_is_passed_over_and_else_from_its_place(
    after: int | None,
) -> None:
    source = Source()
    from_now = FromNow(source, lambda: source.passes_over)
    assert await from_now.iterator("shard", after) == "shard: newest"
    source.passes_over = False
    assert await from_now.iterator("shard", after) == f"shard: after {after}"


async def test_an_end_that_was_asked_for_before_it_keeps_is_not_taken_behind_that() -> None:
    source = Source()
    source.ends_meanwhile = True
    from_now = FromNow(source, lambda: source.passes_over)
    assert await from_now.iterator("shard", None) == "shard: after None"


async def test_all_else_is_the_streams() -> None:
    from_now = FromNow(Source(), lambda: True)
    assert (await from_now.list_shards()).status == "ENABLED"
    assert [shard.id for shard in await from_now.children_of("a")] == ["a-child"]
    assert (await from_now.read_changes("here")).next_iterator == "here"
