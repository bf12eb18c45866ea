"""The peer: a plain aioboto3 loop with botocore's adaptive retries, over HTTP in real time."""

from pathlib import Path

import anyio
from aiobotocore.config import AioConfig
from msgspec.structs import replace

from benchmarks.peers.plain_aioboto3 import copy
from benchmarks.throttle.cases import CASES, Case
from benchmarks.throttle.trial import run_trial
from benchmarks.throttle.tried import Tried, tried

NAME = "aioboto3, adaptive"
# Long enough to be judged, as far as it goes on as it began.
SECONDS = 28.0
STEADY = ("flat", "on-demand", "partitions", "index", "two-runs")
# So many attempts that it never gives up: the default of five ends the script at a brown-out.
_RETRIES = {"mode": "adaptive", "total_max_attempts": 10_000}


def cases(names: list[str]) -> list[Case]:
    """The cases to try: those that are named, or the steady ones; these cut short."""
    return [
        replace(case, seconds=SECONDS) if case.name in STEADY else case
        for case in CASES
        if case.name in (names or STEADY)
    ]


def try_peer(case: Case) -> Tried:
    """What the peer makes of a case."""
    return tried(case, run_trial(case, aioboto3_adaptive))


async def aioboto3_adaptive(case: Case, url: str, state_dir: Path) -> set[str]:
    """Copies until all is copied or the time is over. It names no limit."""
    with anyio.move_on_after(case.seconds):
        await copy(url, source="source", target="target", config=AioConfig(retries=_RETRIES))
    return set()
