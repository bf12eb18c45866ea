"""Tests here run by a quicker clock, so that time-outs and backoffs are met for real."""

import asyncio
from collections.abc import Callable, Mapping

from tests.worlds.quick_time import QuickLoop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """What pytest-asyncio runs the tests of this directory by."""
    return {"quick": QuickLoop}
