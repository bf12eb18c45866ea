"""The stream of a table is enabled once, with new images, and waited for."""

from typing import Any

import pytest

from dynaferry.dynamodb.tables import enable_stream as module
from dynaferry.dynamodb.tables.enable_stream import enable_stream
from dynaferry.errors import AccessDeniedError, NotReadyError, RequestRefusedError
from tests.worlds.described import ScriptedSession, described, described_on_the_wire, scripted
from tests.worlds.described import refusal as client_error

ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2026-01-01T00:00:00.000"
WITHOUT = described_on_the_wire()
UPDATING = described_on_the_wire(TableStatus="UPDATING")
WITH = described_on_the_wire(
    LatestStreamArn=ARN,
    StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
)


async def no_wait(_: float) -> None:
    """The next look is at once."""


def asked(session: ScriptedSession) -> list[dict[str, Any]]:
    requests: list[dict[str, Any]] = session.client.requests_of("update_table")
    return requests


async def test_a_stream_with_new_images_is_enabled_and_the_table_waited_for() -> None:
    session = scripted(describe_table=[WITHOUT, UPDATING, WITHOUT, WITH], update_table=[{}])
    seen, is_ours = await enable_stream(session, described(), sleep=no_wait)
    assert (seen.stream_arn, seen.stream_view_type, is_ours) == (ARN, "NEW_IMAGE", True)
    (request,) = asked(session)
    assert request == {
        "TableName": described().arn,
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    }


async def test_a_table_that_is_changing_is_waited_for_before_it_is_asked() -> None:
    session = scripted(describe_table=[UPDATING, UPDATING, WITHOUT, WITH], update_table=[{}])
    await enable_stream(session, described(), sleep=no_wait)
    methods = [method for method, _ in session.client.calls]
    assert methods == ["describe_table"] * 3 + ["update_table", "describe_table"]


async def test_a_stream_that_somebody_else_has_enabled_meanwhile_is_kept_and_is_not_ours() -> None:
    error = client_error(
        "ValidationException", "UpdateTable", "Table already has an enabled stream"
    )
    session = scripted(describe_table=[WITHOUT, WITH], update_table=[error])
    seen, is_ours = await enable_stream(session, described(), sleep=no_wait)
    assert (seen.stream_arn, is_ours) == (ARN, False)


async def test_another_refusal_is_told_as_it_is() -> None:
    error = client_error("ValidationException", "UpdateTable", "no such view")
    session = scripted(describe_table=[WITHOUT], update_table=[error])
    with pytest.raises(RequestRefusedError, match="no such view"):
        await enable_stream(session, described(), sleep=no_wait)


async def test_a_right_that_is_missing_is_named() -> None:
    error = client_error("AccessDeniedException", "UpdateTable")
    session = scripted(describe_table=[WITHOUT], update_table=[error])
    with pytest.raises(AccessDeniedError) as caught:
        await enable_stream(session, described(), sleep=no_wait)
    assert "dynamodb:UpdateTable" in (caught.value.hint or "")


async def test_a_table_that_does_not_become_active_is_not_waited_for_without_end() -> None:
    session = scripted(describe_table=[UPDATING], update_table=[{}])
    with pytest.raises(NotReadyError, match="orders is UPDATING"):
        await enable_stream(session, described(), sleep=no_wait, patience_seconds=0.0)
    assert asked(session) == []


def test_streams_are_enabled_with_new_images_alone() -> None:
    assert module.NEW_STREAM == {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
