"""Tests here run by a quicker clock, so that time-outs and backoffs are met for real."""

import asyncio
from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.worlds.quick_time import QuickLoop, disk_as_slow_as_it_is


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """What pytest-asyncio runs the tests of this directory by."""
    return {"quick": QuickLoop}


@pytest.fixture(autouse=True)
def slow_disk() -> Iterator[None]:
    """The disk is no quicker than it is."""
    with disk_as_slow_as_it_is():
        yield
