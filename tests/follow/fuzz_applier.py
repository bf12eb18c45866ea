"""Applies beside many targets in trouble, through kills: `make fuzz-applier SEEDS=100`."""

import argparse
import sys

from tests.follow.applier_stories import in_trouble, killed


def main() -> int:
    """Ends with 1 and the number of the first seed of which the target is not the source."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        try:
            in_trouble(seed)
            killed(seed)
        except AssertionError as error:
            sys.stderr.write(f"seed {seed}: {error}\n")
            return 1
    sys.stdout.write(f"{arguments.seeds} targets end as their sources, in trouble and killed\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
