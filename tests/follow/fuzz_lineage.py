"""Reads many random streams: `make fuzz-lineage FORESTS=10000`."""

import argparse
import sys
from random import Random

from tests.follow.forest import live


def main() -> int:
    """Ends with 1 and the number of the first forest that is not read as it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--forests", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    for seed in range(arguments.first, arguments.first + arguments.forests):
        try:
            live(Random(seed))
        except AssertionError as error:
            sys.stderr.write(f"forest {seed}: {error}\n")
            return 1
    sys.stdout.write(f"{arguments.forests} forests were read\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
