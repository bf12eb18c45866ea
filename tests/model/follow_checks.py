"""What holds of copy and follow and what does not: `make model` explores all of it to its end."""

import argparse
import sys
from typing import NamedTuple

from tests.model.follow_world import World, explore


class Check(NamedTuple):
    """A world, and the number of writes in which the same is to be seen by those who wait."""

    name: str
    world: World
    holds: bool = True
    quick_writes: int = 2

    @property
    def quick(self) -> World:
        """The world with fewer writes."""
        return self.world._replace(writes=min(self.world.writes, self.quick_writes))


TWO = World(writes=2)
LATE = World(late=True)
AGAIN = World(again=True)
GAP = World(trim=1)
REPAIR = GAP._replace(mend="repair")
LIVE = World(how="live")
FILTER = World(how="filter")
ABSENT = World(how="absent")
EXACT = FILTER._replace(consistent=True)

CHECKS = (
    Check("replay", World()),
    Check("split", World(split=True)),
    Check("killed twice", TWO._replace(kills=2), quick_writes=1),
    Check("split and killed", TWO._replace(split=True, kills=1), quick_writes=1),
    Check("read again, killed", TWO._replace(split=True, kills=1, what="reread"), quick_writes=1),
    Check("late writes", LATE, quick_writes=1),
    Check("read again, records again", AGAIN._replace(what="reread")),
    Check("trimmed", GAP),
    Check("read again, trimmed", GAP._replace(what="reread")),
    Check("trimmed and killed", TWO._replace(trim=1, kills=1), quick_writes=1),
    Check("trimmed twice", TWO._replace(trim=2)),
    Check("trimmed, split", TWO._replace(trim=1, split=True), quick_writes=1),
    Check("trimmed, late writes", TWO._replace(trim=1, late=True), quick_writes=1),
    Check("trimmed, repaired and confirmed", REPAIR),
    Check("shown late", World(delay=True)),
    Check("live, filtered, consistent", EXACT),
    Check("live, filtered, consistent, killed", EXACT._replace(kills=1), quick_writes=1),
    # What must not be built, and why.
    Check("scan older than the capture", World(stale=True), holds=False),
    Check("late writes, not settled", LATE._replace(settle=False), holds=False),
    Check("late writes of the copy, not settled", LATE._replace(settle_copy=False), holds=False),
    Check("images, records again", AGAIN, holds=False),
    Check("rows told apart by content", AGAIN._replace(what="reread", counted=False), holds=False),
    Check("trimmed, older images stay", GAP._replace(demote=False), holds=False),
    Check("trimmed, compared beside what is older", GAP._replace(answered=False), holds=False),
    Check("trimmed, repaired, not confirmed", REPAIR._replace(confirm=False), holds=False),
    Check("trimmed, compared in vain", GAP._replace(mend="nothing"), holds=False),
    Check("child beside its parent", World(split=True, ordered=False), holds=False),
    Check("position before the record", World(atomic=False, kills=1), holds=False),
    Check("trimmed and gone on", GAP._replace(resync=False), holds=False),
    Check("an empty poll believed", World(delay=True, quiet="empty"), holds=False),
    Check("live", LIVE, holds=False),
    Check("live, filtered", FILTER, holds=False),
    Check("live, filtered, killed", FILTER._replace(kills=1), holds=False),
    Check("live, only what is absent", ABSENT, holds=False),
    Check("live, consistent", LIVE._replace(consistent=True), holds=False),
    Check("live, only what is absent, consistent", ABSENT._replace(consistent=True), holds=False),
)

# Too large for those who wait.
LONG_CHECKS = (
    Check("late writes, split and killed", TWO._replace(late=True, split=True, kills=1)),
    Check("live, filtered, consistent, late writes", EXACT._replace(late=True)),
)


def main() -> int:
    """Ends with 1 if anything is not as it is written here."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--begin", metavar="NAME", default="", help="goes on with this check")
    begin = parser.parse_args().begin
    checks = [*CHECKS, *LONG_CHECKS]
    if begin:
        checks = checks[[check.name for check in checks].index(begin) :]
    wrong = 0
    for check in checks:
        found = explore(check.world, most=30_000_000)
        is_expected = (not found.broken) == check.holds
        wrong += not is_expected
        verdict = "breaks" if found.broken else "holds"
        sys.stdout.write(
            f"{'ok' if is_expected else 'NOT AS EXPECTED':16}{verdict:7}"
            f"{found.states:>10,} states {found.ends:>7,} ends  {check.name}\n"
        )
        if found.broken:
            sys.stdout.write(f"{'':16}{'; '.join(found.broken)}\n")
        sys.stdout.flush()
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
