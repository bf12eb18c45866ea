"""What the answers of a stream mean, and what is asked of it; then moto's stream as a whole."""

import json
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from dynaferry.dynamodb.account.session import open_account
from dynaferry.dynamodb.client import open_client
from dynaferry.dynamodb.failures.call_site import CallSite
from dynaferry.dynamodb.items import streams
from dynaferry.dynamodb.items.streams import TableStream
from dynaferry.dynamodb.signing import STREAMS_API_PREFIX
from dynaferry.errors import (
    AccessDeniedError,
    CorruptAnswerError,
    DynaferryError,
    ExpiredIteratorError,
    ImpossibleAnswerError,
    RequestRefusedError,
    ShardGoneError,
    StreamGoneError,
    ThrottledError,
    TrimmedError,
    UnavailableError,
)
from dynaferry.ports import ChangeKind, Shard
from tests.worlds.canned_client import CannedAnswer, CannedClient
from tests.worlds.endpoint import Answer, Behaviour, refusal, running_endpoint
from tests.worlds.moto import MotoWorld
from tests.worlds.sides import session_of

ARN = "arn:aws:dynamodb:eu-central-1:123456789012:table/t/stream/2026-01-01T00:00:00.000"
NUMBER = "000000000000000000007"


class CannedStream(CannedClient):
    """Knows its side, as a client does."""

    site = CallSite(table="t", side="source", acting_as="profile p")


def stream(
    *answers: CannedAnswer | dict[str, Any], view: str = "NEW_IMAGE"
) -> tuple[TableStream, CannedClient]:
    encoded = [json.dumps(a).encode() if isinstance(a, dict) else a for a in answers]
    client = CannedStream(*encoded)
    return TableStream(client, arn=ARN, table="t", view=view), client


def record(event: str = "MODIFY", **fields: Any) -> dict[str, Any]:
    inside = {
        "Keys": {"pk": {"S": "a"}},
        "SequenceNumber": NUMBER,
        "ApproximateCreationDateTime": 1_800_000_000,
        "SizeBytes": 9,
        **fields,
    }
    return {
        "eventName": event,
        "eventVersion": "1.1",
        "dynamodb": {name: value for name, value in inside.items() if value is not ...},
    }


def records(*found: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"Records": list(found), **more}


def described(*shards: dict[str, Any], **more: Any) -> dict[str, Any]:
    description = {"StreamStatus": "ENABLED", "StreamViewType": "NEW_IMAGE", "Shards": shards}
    return {"StreamDescription": {**description, **more}}


def shard(name: str, parent: str | None = None, ending: str | None = None) -> dict[str, Any]:
    given: dict[str, Any] = {
        "ShardId": name,
        "SequenceNumberRange": {"StartingSequenceNumber": "1"},
    }
    if parent is not None:
        given["ParentShardId"] = parent
    if ending is not None:
        given["SequenceNumberRange"]["EndingSequenceNumber"] = ending
    return given


# Records -----------------------------------------------------------------------------------------

PUT, DELETE, AGAIN = ChangeKind.PUT, ChangeKind.DELETE, ChangeKind.READ_AGAIN
IMAGE = {"pk": {"S": "a"}, "n": {"N": "1.50"}}


@pytest.mark.parametrize("view", ["NEW_IMAGE", "NEW_AND_OLD_IMAGES"])
@pytest.mark.parametrize(
    ("event", "images", "kind"),
    [
        ("INSERT", {"NewImage": IMAGE}, PUT),
        ("MODIFY", {"NewImage": IMAGE}, PUT),
        # The images say what to do; names of events that nobody has documented do not.
        ("UNKNOWN_TO_SDK_VERSION", {"NewImage": IMAGE}, PUT),
        ("REMOVE", {}, DELETE),
        ("REMOVE", {"OldImage": IMAGE}, DELETE),
        ("REMOVE", {"NewImage": None}, DELETE),
        ("UNKNOWN_TO_SDK_VERSION", {}, AGAIN),
        ("MODIFY", {}, AGAIN),
        ("INSERT", {"NewImage": None}, AGAIN),
        ("INSERT", {"NewImage": {}}, AGAIN),
    ],
)
async def test_a_record_with_images_says_what_the_item_is_now(
    view: str, event: str, images: dict[str, Any], kind: ChangeKind
) -> None:
    source, _ = stream(records(record(event, **images)), view=view)
    (change,) = (await source.read_changes("i")).changes
    assert change.kind is kind
    assert change.image == (json.dumps(IMAGE).encode() if kind is PUT else None)
    assert change.created_at == 1_800_000_000


@pytest.mark.parametrize("view", ["KEYS_ONLY", "OLD_IMAGE", ""])
@pytest.mark.parametrize("event", ["INSERT", "MODIFY", "REMOVE"])
async def test_without_new_images_each_key_is_read_again(view: str, event: str) -> None:
    source, _ = stream(records(record(event, OldImage=IMAGE)), view=view)
    (change,) = (await source.read_changes("i")).changes
    assert (change.kind, change.image) == (AGAIN, None)


BY_THE_SERVICE = {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}
IN_THE_GUIDE = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


@pytest.mark.parametrize(
    ("event", "identity", "is_expiry"),
    [
        ("REMOVE", BY_THE_SERVICE, True),
        ("REMOVE", IN_THE_GUIDE, True),
        ("REMOVE", ..., False),
        ("REMOVE", None, False),
        ("REMOVE", {}, False),
        ("REMOVE", "Service", False),
        ("REMOVE", BY_THE_SERVICE | {"Type": None}, False),
        ("REMOVE", BY_THE_SERVICE | {"PrincipalId": "arn:aws:iam::1:user/ann"}, False),
        ("MODIFY", BY_THE_SERVICE, False),
    ],
)
@pytest.mark.parametrize("view", ["NEW_IMAGE", "KEYS_ONLY"])
async def test_what_expired_is_told_from_what_somebody_deleted(
    event: str, identity: object, is_expiry: bool, view: str
) -> None:
    given = record(event)
    if identity is not ...:
        given["userIdentity"] = identity
    source, _ = stream(records(given), view=view)
    (change,) = (await source.read_changes("iterator")).changes
    assert change.is_expiry == is_expiry


async def test_an_image_is_kept_byte_by_byte_but_for_what_a_legacy_global_table_writes() -> None:
    own = b'"aws:rep:updatetime":{"N":"1.5"}'
    image = b'{"pk":{"S":"a"}, "n" : {"N":"1.50"}}'
    with_own = b'{"pk":{"S":"a"},%b,"n":{"N":"1.50"}}' % own
    page = b'{"Records":[%b,%b]}' % tuple(
        b'{"dynamodb":{"Keys":{"pk":{"S":"a"}},"NewImage":%b,"SequenceNumber":"1",'
        b'"ApproximateCreationDateTime":1.5}}' % each
        for each in (image, with_own)
    )
    source, client = stream(page)
    kept = [change.image for change in (await source.read_changes("i")).changes]
    assert kept == [image, with_own]
    client = CannedStream(page)
    legacy = TableStream(client, arn=ARN, table="t", view="NEW_AND_OLD_IMAGES", leave_out=True)
    kept = [change.image for change in (await legacy.read_changes("i")).changes]
    assert kept == [image, b'{"pk":{"S":"a"},"n":{"N":"1.50"}}']


async def test_one_key_has_one_digest_however_it_is_written() -> None:
    source, _ = stream(
        b'{"Records":[%b,%b]}'
        % tuple(
            b'{"dynamodb":{"Keys":%b,"SequenceNumber":"1","ApproximateCreationDateTime":1.5}}' % key
            for key in (
                b'{"sk":{"N":"1.0"},"pk":{"S":"a"}}',
                b'{ "pk" : {"S":"a"}, "sk":{"N":"1"}}',
            )
        )
    )
    one, other = (await source.read_changes("i")).changes
    assert one.key == other.key == b'{"pk":{"S":"a"},"sk":{"N":"1"}}'
    assert one.digest == other.digest
    assert len(one.digest) == 16


async def test_a_page_says_how_far_it_goes_and_whether_more_may_come() -> None:
    wide = str(10**39 + 1)
    last = records(record(SequenceNumber="1"), record(SequenceNumber=wide))
    source, client = stream(records(NextShardIterator="next"), last)
    page = await source.read_changes("first")
    assert (page.changes, page.last_sequence, page.next_iterator) == ([], None, "next")
    page = await source.read_changes("next")
    assert (len(page.changes), page.last_sequence, page.next_iterator) == (2, 10**39 + 1, None)
    assert page.body_bytes == len(json.dumps(last))
    assert client.calls[0][0] == "GetRecords"
    assert client.bodies == [
        {"ShardIterator": iterator, "Limit": 1000} for iterator in ("first", "next")
    ]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"{}",
        b'{"NextShardIterator":"next"}',
        b'{"Records":null}',
        b'{"Records":[{}]}',
        b'{"Records":[],"NextShardIterator":7}',
        b'{"Records":[',
        json.dumps(records(record(Keys=...))).encode(),
        json.dumps(records(record(Keys=None))).encode(),
        json.dumps(records(record(Keys={}))).encode(),
        json.dumps(records(record(SequenceNumber=...))).encode(),
        json.dumps(records(record(SequenceNumber="seven"))).encode(),
        # Else it would look older than the capture, and be passed over.
        json.dumps(records(record(ApproximateCreationDateTime=...))).encode(),
    ],
)
async def test_a_response_that_is_none_never_counts_as_an_empty_page(answer: bytes) -> None:
    source, _ = stream(answer)
    with pytest.raises(CorruptAnswerError, match="GetRecords on the source table t"):
        await source.read_changes("i")


# Iterators ---------------------------------------------------------------------------------------


async def test_an_iterator_is_behind_a_record_or_at_the_beginning_and_never_at_the_end() -> None:
    source, client = stream({"ShardIterator": "one"}, {"ShardIterator": "two"})
    assert await source.iterator("s", None) == "one"
    assert await source.iterator("s", 7) == "two"
    common = {"StreamArn": ARN, "ShardId": "s"}
    assert client.bodies == [
        {**common, "ShardIteratorType": "TRIM_HORIZON"},
        {**common, "ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": NUMBER},
    ]


async def test_a_response_without_an_iterator_is_refused() -> None:
    for answer in (b"{}", b'{"ShardIterator":null}', b"nothing"):
        source, _ = stream(answer)
        with pytest.raises(CorruptAnswerError, match="GetShardIterator"):
            await source.iterator("s", None)


# Shards ------------------------------------------------------------------------------------------


async def test_all_pages_of_a_listing_are_one_listing() -> None:
    source, client = stream(
        described(shard("a", ending="9"), LastEvaluatedShardId="a"),
        described(shard("b", "a"), LastEvaluatedShardId="b"),
        described(shard("c", "a"), StreamStatus="DISABLED"),
    )
    listing = await source.list_shards()
    assert listing.shards == [Shard("a", None, 9), Shard("b", "a"), Shard("c", "a")]
    assert (listing.is_enabled, listing.view) == (False, "NEW_IMAGE")
    starts = [body.get("ExclusiveStartShardId") for body in client.bodies]
    assert starts == [None, "a", "b"]
    assert {body["Limit"] for body in client.bodies} == {100}


def throttled(_: bytes) -> bytes:
    raise ThrottledError("slow down", code="ThrottlingException")


async def test_a_throttle_in_the_middle_of_a_listing_costs_one_page_and_not_those_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "PAGE_PAUSE_SECONDS", 0.0)
    first = described(shard("a"), LastEvaluatedShardId="a")
    source, client = stream(first, throttled, throttled, described(shard("b")))
    assert (await source.list_shards()).shards == [Shard("a", None), Shard("b", None)]
    starts = [body.get("ExclusiveStartShardId") for body in client.bodies]
    assert starts == [None, "a", "a", "a"]
    never, _ = stream(first, *[throttled] * streams.PAGE_ATTEMPTS)
    with pytest.raises(ThrottledError):
        await never.list_shards()


async def test_a_listing_that_leads_back_is_impossible() -> None:
    page = described(shard("a"), LastEvaluatedShardId="a")
    source, _ = stream(page, page)
    with pytest.raises(ImpossibleAnswerError, match="leads back"):
        await source.list_shards()


@pytest.mark.parametrize(
    "answer",
    [b"", b"{}", b'{"StreamDescription":{}}', b'{"StreamDescription":{"Shards":[{}]}}'],
)
async def test_a_listing_that_is_none_never_counts_as_a_stream_without_shards(
    answer: bytes,
) -> None:
    source, _ = stream(answer)
    with pytest.raises(CorruptAnswerError, match="DescribeStream"):
        await source.list_shards()


async def test_only_its_children_are_the_children_of_a_shard_whatever_the_engine_filters() -> None:
    source, client = stream(
        described(shard("a"), shard("b", "a"), shard("c", "x"), shard("d", "a"))
    )
    assert [child.id for child in await source.children_of("a")] == ["b", "d"]
    assert client.bodies[0]["ShardFilter"] == {"Type": "CHILD_SHARDS", "ShardId": "a"}


# Errors and checksums ----------------------------------------------------------------------------


@asynccontextmanager
async def stream_of(behaviour: Behaviour) -> AsyncIterator[TableStream]:
    async with running_endpoint(behaviour) as endpoint:
        async with open_client(
            session_of(),
            table="t",
            endpoint=endpoint.url,
            connections=1,
            api_prefix=STREAMS_API_PREFIX,
        ) as client:
            yield TableStream(client, arn=ARN, table="t", view="NEW_IMAGE")
        assert {
            request.headers["x-amz-target"].partition(".")[0] for request in endpoint.requests
        } == {"DynamoDBStreams_20120810"}


CALLS: dict[str, Callable[[TableStream], Awaitable[object]]] = {
    "read": lambda source: source.read_changes("i"),
    "iterator": lambda source: source.iterator("s", 1),
    "list": lambda source: source.list_shards(),
}


@pytest.mark.parametrize(
    ("operation", "code", "kind"),
    [
        ("read", "ExpiredIteratorException", ExpiredIteratorError),
        ("read", "TrimmedDataAccessException", TrimmedError),
        ("read", "ResourceNotFoundException", ShardGoneError),
        ("read", "LimitExceededException", ThrottledError),
        ("read", "ThrottlingException", ThrottledError),
        ("read", "InternalServerError", UnavailableError),
        ("read", "AccessDeniedException", AccessDeniedError),
        ("read", "ValidationException", RequestRefusedError),
        ("iterator", "TrimmedDataAccessException", TrimmedError),
        ("iterator", "ResourceNotFoundException", ShardGoneError),
        ("list", "ResourceNotFoundException", StreamGoneError),
        ("list", "LimitExceededException", ThrottledError),
    ],
)
async def test_what_the_service_says_is_what_is_to_be_done(
    operation: str, code: str, kind: type[DynaferryError]
) -> None:
    async with stream_of(refusal(code)) as source:
        with pytest.raises(kind) as raised:
            await CALLS[operation](source)
    assert type(raised.value) is kind


async def test_a_checksum_is_checked_where_there_is_one() -> None:
    body = msgspec.json.encode(records())
    wrong = {"x-amz-crc32": str(zlib.crc32(b"another body"))}
    async with stream_of(Answer(body=body, headers=wrong, checksum="none")) as source:
        with pytest.raises(CorruptAnswerError, match="checksum"):
            await source.read_changes("i")
    for checksum in ("none", "right"):
        async with stream_of(Answer(body=body, checksum=checksum)) as source:
            assert (await source.read_changes("i")).changes == []


# moto --------------------------------------------------------------------------------------------


async def test_the_stream_of_a_table_of_moto_is_read_from_any_position(
    moto_world: MotoWorld,
) -> None:
    tables = moto_world.source_tables
    table = await tables.create_table(
        "t", StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    )
    for number in range(5):
        await tables.put_items("t", [{"pk": {"S": "a"}, "n": {"N": str(number)}}])
    await tables.delete_item("t", {"pk": {"S": "a"}})
    async with (
        open_account(moto_world.source, "source") as session,
        open_client(
            session,
            table="t",
            endpoint=moto_world.url,
            connections=1,
            api_prefix=STREAMS_API_PREFIX,
        ) as client,
    ):
        source = TableStream(client, arn=table["LatestStreamArn"], table="t", view="NEW_IMAGE")
        listing = await source.list_shards()
        assert (len(listing.shards), listing.is_enabled) == (1, True)
        (only,) = listing.shards
        assert await source.children_of(only.id) == []
        page = await source.read_changes(await source.iterator(only.id, None))
        assert [change.kind for change in page.changes] == [PUT] * 5 + [DELETE]
        assert json.loads(page.changes[-2].image or b"") == {"pk": {"S": "a"}, "n": {"N": "4"}}
        assert len({change.digest for change in page.changes}) == 1
        assert page.last_sequence is not None
        rest = await source.read_changes(await source.iterator(only.id, page.last_sequence - 1))
        assert [change.kind for change in rest.changes] == [DELETE]
        after = await source.read_changes(await source.iterator(only.id, page.last_sequence))
        assert after.changes == []
