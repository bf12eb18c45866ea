"""Who reads a stream beside us: asked of Lambda, where there is somebody to ask."""

import io
import json
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

from dynaferry.dynamodb.account.session import open_account
from dynaferry.dynamodb.tables import stream_readers
from dynaferry.dynamodb.tables.describe import NotKnown
from dynaferry.dynamodb.tables.stream_readers import functions_reading
from dynaferry.plan.settings import Account
from tests.worlds.described import refusal, scripted
from tests.worlds.moto import REGION, MotoWorld

STREAM = "arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2026-01-01T00:00:00.000"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:"


class Lambda:
    """Answers with pages of mappings, or fails; asleep it answers nothing."""

    def __init__(self, *pages: list[dict[str, str]], fails: Exception | None = None) -> None:
        self._pages = pages
        self._fails = fails
        self.asked: list[dict[str, str]] = []

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Any]:
        yield self

    def get_paginator(self, operation: str) -> "Lambda":
        assert operation == "list_event_source_mappings"
        return self

    async def paginate(self, **asked: str) -> AsyncIterator[dict[str, Any]]:
        self.asked.append(asked)
        if self._fails is not None:
            raise self._fails
        for page in self._pages:
            yield {"EventSourceMappings": page}
        if not self._pages:
            await anyio.sleep_forever()


async def named(service: Lambda) -> tuple[str, ...] | NotKnown:
    session = scripted("source")
    session.functions = service.opened
    return await functions_reading(session, STREAM)


def mapping(name: str, state: str = "Enabled") -> dict[str, str]:
    return {"FunctionArn": FUNCTION + name, "State": state}


async def test_functions_that_read_the_stream_are_named_once_from_all_pages() -> None:
    service = Lambda(
        [mapping("orders-indexer"), mapping("audit:live", "Updating")],
        [mapping("orders-indexer", "Creating"), mapping("old", "Disabled")],
        [mapping("going", "Deleting"), mapping("\x1b[31m")],
    )
    assert await named(service) == ("\\x1b[31m", "audit:live", "orders-indexer")
    assert service.asked == [{"EventSourceArn": STREAM}]
    assert await named(Lambda([])) == ()


@pytest.mark.parametrize(
    ("failure", "why"),
    [
        (refusal("AccessDeniedException", "ListEventSourceMappings"), "no permission for lambda:"),
        (refusal("ServiceException", "ListEventSourceMappings"), "no response to lambda:"),
        (EndpointConnectionError(endpoint_url="https://lambda"), "no response to lambda:"),
    ],
)
async def test_a_service_that_does_not_tell_is_no_service_without_readers(
    failure: Exception, why: str
) -> None:
    found = await named(Lambda(fails=failure))
    assert isinstance(found, NotKnown)
    assert found.reason == f"{why}ListEventSourceMappings"


async def test_nobody_waits_long_for_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_readers, "SECONDS", 0.01)
    assert isinstance(await named(Lambda()), NotKnown)


# Whom to ask -----------------------------------------------------------------------------------


async def asks(endpoint_url: str | None) -> bool:
    account = Account(region="eu-central-1", endpoint_url=endpoint_url)
    async with open_account(account, "source") as session:
        return session.functions is not None


async def test_behind_a_stand_in_only_a_stand_in_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    here = "http://127.0.0.1:9"
    assert await asks(None)
    assert await asks("https://vpce-1.dynamodb.eu-central-1.vpce.amazonaws.com")
    assert not await asks(here)
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", here)
    assert await asks(here)
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    assert not await asks(here)


async def test_a_trigger_of_a_table_in_moto_is_named(
    moto_world: MotoWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = await moto_world.source_tables.create_table(
        "orders",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    stream = described["LatestStreamArn"]
    await anyio.to_thread.run_sync(make_trigger, moto_world.url, stream)
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", moto_world.url)
    async with open_account(moto_world.source, "source") as session:
        assert await functions_reading(session, stream) == ("orders-indexer",)


def make_trigger(url: str, stream: str) -> None:
    """A function that moto never runs, and its mapping."""
    settings: dict[str, Any] = {
        "region_name": REGION,
        "endpoint_url": url,
        "aws_access_key_id": "testing",
        "aws_secret_access_key": "testing",
    }
    trust = {"Version": "2012-10-17", "Statement": []}
    role = boto3.client("iam", **settings).create_role(
        RoleName="trigger", AssumeRolePolicyDocument=json.dumps(trust)
    )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as code:
        code.writestr("handler.py", "")
    client = boto3.client("lambda", **settings)
    client.create_function(
        FunctionName="orders-indexer",
        Runtime="python3.11",
        Role=role["Role"]["Arn"],
        Handler="handler.handle",
        Code={"ZipFile": archive.getvalue()},
    )
    client.create_event_source_mapping(
        FunctionName="orders-indexer", EventSourceArn=stream, StartingPosition="LATEST"
    )
