"""One service for all of these tests, and both accounts empty for each."""

from collections.abc import Iterator

import pytest

from tests.contract.world import ContractWorld, contract_world


@pytest.fixture(scope="module")  # it changes how large moto's pages are, for all in this process
def running_world() -> Iterator[ContractWorld]:
    """The service, which takes a moment to start."""
    with contract_world() as world:
        yield world


@pytest.fixture
def world(running_world: ContractWorld) -> Iterator[ContractWorld]:
    """Two empty accounts; what waits when a test fails waits no longer."""
    running_world.reset()
    yield running_world
    running_world.service.release()
