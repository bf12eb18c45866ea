"""DynamoDB Local for the tests of this folder."""

import os
from collections.abc import Iterator

import pytest

from tests.local.dynamodb_local import (
    DynamoDbLocalMissingError,
    LocalWorld,
    find_java,
    running_dynamodb_local,
)

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
