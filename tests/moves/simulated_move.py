"""What a rehearsal without a stream starts and looks at: processes beside a simulator."""

import os
import sys

from benchmarks.simulator import RunningSimulator
from dynaferry.dynamodb.items.canonical import canonical


def dynaferry(*typed: str) -> list[str]:
    """The command line of a process of its own."""
    return [sys.executable, "-m", "dynaferry", *typed]


def side_options(simulated: RunningSimulator) -> list[str]:
    """Both sides are tables of the simulator."""
    side = "--{0}-region us-east-1 --{0}-endpoint-url {1}"
    both = (side.format(name, simulated.url).split() for name in ("source", "target"))
    return [option for options in both for option in options]


def child_environment() -> dict[str, str]:
    """Made-up credentials, and nothing of a person's."""
    keys = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
    return os.environ | keys | {"AWS_EC2_METADATA_DISABLED": "true"}


def held(simulated: RunningSimulator, table: str) -> set[bytes]:
    """What a table holds, canonical."""
    return {canonical(item) for item in simulated.items(table)}
