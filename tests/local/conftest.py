"""DynamoDB Local for the tests of this folder."""

import os
from collections.abc import Iterator

import pytest

from tests.local.dynamodb_local import (
    JARS,
    DynamoDbLocalMissingError,
    LocalWorld,
    find_java,
    running_dynamodb_local,
    running_rolling_local,
)

# What the one gets wrong the other gets right.
ENGINES = {"3.1.0": JARS, "2.6.1": JARS.with_name("dynamodb-local-2.6.1")}

# `make test-local` sets it: there, a test that cannot run has failed.
REQUIRED = bool(os.environ.get("DYNAFERRY_REQUIRE_DYNAMODB_LOCAL"))


@pytest.fixture(scope="session")
def dynamodb_local() -> Iterator[LocalWorld]:
    """DynamoDB Local, shared by the whole session; skips where it cannot run."""
    try:
        java = find_java()
    except DynamoDbLocalMissingError as error:
        if REQUIRED:
            raise
        pytest.skip(str(error))
    with running_dynamodb_local(java) as world:
        yield world


@pytest.fixture
def local_world(dynamodb_local: LocalWorld, monkeypatch: pytest.MonkeyPatch) -> LocalWorld:
    """Two accounts whose tables stay until the session ends: each test names its own."""
    credentials = str(dynamodb_local.credentials_file)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", credentials)
    return dynamodb_local


@pytest.fixture(scope="session", params=list(ENGINES))
def rolling_local(request: pytest.FixtureRequest) -> Iterator[LocalWorld]:
    """An engine whose shards roll and whose records age on demand; `make test-local` has it in
    each version.
    """
    if not REQUIRED and ENGINES[request.param] != JARS:
        pytest.skip("an earlier version of the engine: `make test-local` runs it")
    try:
        java = find_java(ENGINES[request.param])
    except DynamoDbLocalMissingError as error:
        if REQUIRED:
            raise
        pytest.skip(str(error))
    with running_rolling_local(java, ENGINES[request.param]) as world:
        yield world


@pytest.fixture
def rolling_world(rolling_local: LocalWorld, monkeypatch: pytest.MonkeyPatch) -> LocalWorld:
    """Two accounts in that engine: each test names its own tables."""
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(rolling_local.credentials_file))
    return rolling_local
