"""What holds of the switch and what does not: explored to the last state."""

import sys
from typing import NamedTuple

from tests.model.follow_switch_world import Switch, explore


class SwitchCheck(NamedTuple):
    """A world, and whether everything holds in it."""

    name: str
    world: Switch
    holds: bool = True


GIVES_UP = Switch(gives_up=True)

SWITCH_CHECKS = (
    SwitchCheck("switch and way back", Switch()),
    SwitchCheck("killed twice", Switch(kills=2)),
    SwitchCheck("writes given up", GIVES_UP),
    SwitchCheck("writes given up, nothing compared", GIVES_UP._replace(compares=False)),
    SwitchCheck("writes given up, killed", GIVES_UP._replace(kills=1)),
    SwitchCheck("split, killed", Switch(split=True, kills=1)),
    SwitchCheck("late writers, killed", Switch(late_writes=1, kills=1)),
    SwitchCheck("shown later, waited for longer", Switch(bound=2, needed=3)),
    # What must not be built, and why.
    SwitchCheck("an empty read believed", Switch(needed=0, compares=False), holds=False),
    SwitchCheck("shown later than is waited for", Switch(bound=3, compares=False), holds=False),
    SwitchCheck(
        "silence from before counts", Switch(counts_before=True, compares=False), holds=False
    ),
    SwitchCheck("asked for before the writers stop: a lull", Switch(early=True), holds=False),
    SwitchCheck("doubts left", GIVES_UP._replace(settles=False), holds=False),
    SwitchCheck("writes go on", Switch(holds=False, compares=False, late_writes=1), holds=False),
    SwitchCheck(
        "a child not waited for", Switch(split=True, lists=False, compares=False), holds=False
    ),
    SwitchCheck("told before it is stored", Switch(kills=1, is_durable=False), holds=False),
    SwitchCheck("way back begun behind the go", Switch(keeps_way_back=False), holds=False),
)


def main() -> int:
    """Ends with 1 if anything is not as it is written here."""
    wrong = 0
    for check in SWITCH_CHECKS:
        found = explore(check.world)
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
