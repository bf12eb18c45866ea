import random
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from dynaferry.dynamodb.items.canonical import digest_of
from dynaferry.verify.compare.join import SIDES, Join, Side
from dynaferry.verify.compare.multiset import Multiset
from tests.worlds.fake_tables import KEY_OF, item, key


def raws(items: Sequence[bytes]) -> list[Raw]:
    return [Raw(one) for one in items]


def drained(join: Join) -> dict[bytes, bool]:
    join.reduce()
    taken: dict[bytes, bool] = {}
    while join.most_waiting:
        taken |= join.take(3)
    return taken


def test_what_is_the_same_to_the_byte_cancels_out_at_once() -> None:
    join = Join(KEY_OF)
    join.add("source", raws([item(1), item(2)]))
    join.add("target", raws([item(2), item(1)]))
    assert (join.matching, join.most_waiting, join.waiting_bytes) == (2, 0, 0)


def test_what_is_written_in_another_way_cancels_out_when_reduced() -> None:
    join = Join(KEY_OF)
    join.add("source", raws([item(1, "1.0")]))
    join.add("target", raws([item(1, "1")]))
    assert (join.matching, join.waiting("source"), join.waiting("target")) == (0, 1, 1)
    join.reduce()
    assert (join.matching, join.most_waiting) == (1, 0)
    assert join.source == join.target


def test_what_was_reduced_before_still_finds_its_counterpart() -> None:
    join = Join(KEY_OF)
    join.add("source", raws([item(1)]))
    join.reduce()
    join.add("target", raws([item(1)]))
    assert drained(join) == {}
    assert join.matching == 1


def test_the_oldest_are_taken_first_with_their_counterparts() -> None:
    join = Join(KEY_OF)
    join.add("source", raws([item(1), item(2), item(3)]))
    join.add("target", raws([item(4), item(3, 7), item(1, 7)]))
    join.reduce()
    assert join.take(1) == {key(1): True, key(4): False}
    assert join.take(1) == {key(2): True, key(3): True}
    assert join.most_waiting == 0


VALUES = {"0": 0, "1": 1, "1.0": 1, "2": 2}
tables = st.dictionaries(st.integers(0, 30), st.sampled_from(sorted(VALUES)))


@given(tables, tables, st.randoms(use_true_random=False))
def test_whatever_the_order_only_what_differs_is_left(
    source: dict[int, str], target: dict[int, str], pick: random.Random
) -> None:
    sides: dict[Side, list[bytes]] = {
        "source": [item(k, v) for k, v in source.items()],
        "target": [item(k, v) for k, v in target.items()],
    }
    for items in sides.values():
        pick.shuffle(items)
    steps = [side for side in SIDES for _ in sides[side]]
    pick.shuffle(steps)
    join = Join(KEY_OF)
    for step in steps:
        join.add(step, raws([sides[step].pop()]))
        if pick.random() < 0.2:
            join.reduce()

    both = source.keys() & target.keys()
    same = {k for k in both if VALUES[source[k]] == VALUES[target[k]]}
    assert drained(join) == {key(k): k in source for k in (source.keys() | target.keys()) - same}
    assert join.matching == len(same)
    for multiset, table in ((join.source, source), (join.target, target)):
        assert multiset == Multiset.of(digest_of(item(k, v)) for k, v in table.items())
