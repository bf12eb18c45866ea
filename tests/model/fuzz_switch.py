"""Many orders of commands, kills and writes: `python -m tests.model.fuzz_switch --times 500`."""

import argparse

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.test_switch_commands import Switches


def main() -> int:
    """Tries as many as are asked for; raises what is wrong in the shortest that is found."""
    parser = argparse.ArgumentParser(prog="python -m tests.model.fuzz_switch", description=__doc__)
    parser.add_argument("--times", type=int, default=500)
    asked = parser.parse_args()
    tries = settings(max_examples=asked.times, stateful_step_count=50, deadline=None, database=None)
    run_state_machine_as_test(Switches, settings=tries)
    print(f"{asked.times} orders: nothing is wrong")  # noqa: T201  # what it is for
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
