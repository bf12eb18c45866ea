"""The simulator's streams, read by dynaferry's own decoders."""

import random
from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from benchmarks.simulator import BrownOut, Change, Provisioned, Stream, StreamEvent
from dynaferry.errors import (
    ExpiredIteratorError,
    RequestRefusedError,
    ShardGoneError,
    ThrottledError,
    TrimmedError,
    UnavailableError,
)
from dynaferry.ports import ChangeKind, ChangeRecord, Shard
from tests.simulator.streamed import PLAIN, StreamedTable, an_item


@dataclass
class ReadShards:
    """Everything that a table's stream shows, parents first."""

    table: StreamedTable
    pages: int = 0
    empty: int = 0

    async def changes(self) -> list[ChangeRecord]:
        """All records, in the order of the lineage."""
        listing = await self.table.reader().list_shards()
        known = {shard.id: shard for shard in listing.shards}
        depth = {shard.id: self._depth(shard.parent, known) for shard in listing.shards}
        return [
            change
            for shard in sorted(known, key=lambda one: (depth[one], one))
            for change in await self.shard(shard)
        ]

    def _depth(self, parent: str | None, known: dict[str, Shard]) -> int:
        shard = known.get(parent or "")
        return 0 if shard is None else 1 + self._depth(shard.parent, known)

    async def shard(self, shard: str) -> list[ChangeRecord]:
        """The records of one shard, until it ends or two pages in a row hold nothing."""
        reader = self.table.reader()
        iterator: str | None = await reader.iterator(shard, None)
        changes: list[ChangeRecord] = []
        since = 0
        while iterator is not None and since < 20:
            self.table.now += 0.25
            page = await reader.read_changes(iterator)
            self.pages += 1
            self.empty += not page.changes
            since = 0 if page.changes else since + 1
            changes += page.changes
            iterator = page.next_iterator
        return changes


async def only_shard(table: StreamedTable) -> str:
    (shard,) = (await table.reader().list_shards()).shards
    return shard.id


def names(changes: list[ChangeRecord]) -> list[bytes]:
    return [change.key for change in changes]


def key(name: str) -> bytes:
    return b'{"pk":{"S":"%b"}}' % name.encode()


# Records -------------------------------------------------------------------------------------


async def test_puts_updates_and_deletes_are_records_in_their_order() -> None:
    table = StreamedTable()
    await table.put("a")
    await table.put("a", 1)
    await table.delete("a")
    put, update, delete = await ReadShards(table).changes()
    assert (put.kind, put.image) == (ChangeKind.PUT, an_item("a"))
    assert (update.kind, update.image) == (ChangeKind.PUT, an_item("a", 1))
    assert (delete.kind, delete.image, delete.key) == (ChangeKind.DELETE, None, key("a"))
    assert put.created_at == 1.8e9


async def test_a_batch_of_puts_and_deletes_leaves_a_record_of_each() -> None:
    table = StreamedTable()
    await table.put("old")
    batch = [
        {"PutRequest": {"Item": {"pk": {"S": "new"}}}},
        {"DeleteRequest": {"Key": {"pk": {"S": "old"}}}},
    ]
    assert (await table.ask("BatchWriteItem", RequestItems={"orders": batch})) == {
        "UnprocessedItems": {}
    }
    assert names(await ReadShards(table).changes()) == [key("old"), key("new"), key("old")]
    assert (await table.ask("Scan", TableName="orders"))["Items"] == [{"pk": {"S": "new"}}]


async def test_what_is_left_of_a_batch_comes_back_as_the_put_or_delete_that_it_was() -> None:
    little = Provisioned(write_units=1, read_units=10, burst_seconds=1)
    table = StreamedTable(capacity=little)
    batch = [
        {"PutRequest": {"Item": {"pk": {"S": "a"}}}},
        {"PutRequest": {"Item": {"pk": {"S": "b"}}}},
        {"DeleteRequest": {"Key": {"pk": {"S": "c"}}}},
    ]
    answer = await table.ask("BatchWriteItem", RequestItems={"orders": batch})
    assert answer["UnprocessedItems"] == {"orders": batch[1:]}
    assert names(await ReadShards(table).changes()) == [key("a")]


async def test_a_write_that_changes_nothing_leaves_no_record() -> None:
    table = StreamedTable()
    await table.delete("a")
    await table.put("a")
    await table.put("a")
    await table.ask("PutItem", TableName="orders", Item={"version": {"N": "0"}, "pk": {"S": "a"}})
    assert names(await ReadShards(table).changes()) == [key("a")]
    assert table.service.tables["orders"].report(0.0).unchanging_writes == 3


async def test_time_to_live_deletes_under_the_services_own_name() -> None:
    table = StreamedTable()
    await table.put("a")
    table.service.tables["orders"].expire(1, 0.0)
    iterator = await table.reader().iterator(await only_shard(table), None)
    _, record = (await table.ask("GetRecords", ShardIterator=iterator))["Records"]
    assert record["eventName"] == "REMOVE"
    assert record["userIdentity"] == {
        "PrincipalId": "dynamodb.amazonaws.com",
        "Type": "Service",
    }
    put, deleted = await ReadShards(table).changes()
    assert (put.is_expiry, deleted.is_expiry) == (False, True)


@pytest.mark.parametrize(
    ("view", "images"),
    [
        ("KEYS_ONLY", set()),
        ("NEW_IMAGE", {"NewImage"}),
        ("OLD_IMAGE", {"OldImage"}),
        ("NEW_AND_OLD_IMAGES", {"NewImage", "OldImage"}),
    ],
)
async def test_a_view_says_which_images_a_record_shows(view: str, images: set[str]) -> None:
    table = StreamedTable(replace(PLAIN, view=view))
    await table.put("a")
    await table.put("a", 1)
    iterator = await table.reader().iterator(await only_shard(table), None)
    _, record = (await table.ask("GetRecords", ShardIterator=iterator))["Records"]
    assert record["dynamodb"]["StreamViewType"] == view
    assert record["dynamodb"].keys() & {"NewImage", "OldImage"} == images


async def test_records_show_late_and_in_order() -> None:
    table = StreamedTable(replace(PLAIN, delay_seconds=(0.2, 0.8)))
    for number in range(50):
        await table.put(f"k{number}")
    reader = table.reader()
    iterator = await reader.iterator(await only_shard(table), None)
    table.now = 0.19
    first = await reader.read_changes(iterator)
    assert first.changes == []
    seen: list[bytes] = []
    while table.now < 2.0:
        page = await reader.read_changes(iterator)
        seen += [change.key for change in page.changes]
        assert page.next_iterator is not None
        iterator = page.next_iterator
        table.now += 0.25
    assert seen == [key(f"k{number}") for number in range(50)]


async def test_a_page_holds_a_thousand_records_or_a_megabyte() -> None:
    table = StreamedTable(capacity=Provisioned(write_units=1e6, read_units=1e6))
    for number in range(1001):
        await table.put(f"k{number}")
    reader = table.reader()
    iterator = await reader.iterator(await only_shard(table), None)
    assert len((await reader.read_changes(iterator)).changes) == 1000
    large = StreamedTable(capacity=Provisioned(write_units=1e6, read_units=1e6))
    for number in range(5):
        text = {"S": "x" * 300_000}
        item = {"pk": {"S": f"k{number}"}, "text": text}
        await large.ask("PutItem", TableName="orders", Item=item)
    iterator = await large.reader().iterator(await only_shard(large), None)
    assert len((await large.reader().read_changes(iterator)).changes) == 3


async def test_a_report_says_what_no_page_has_held_yet() -> None:
    table = StreamedTable(replace(PLAIN, delay_seconds=(5.0, 5.0), retention_seconds=20.0))
    for name in "abc":
        await table.put(name)
    assert table.streams.report().unread == 3
    iterator = await table.reader().iterator(await only_shard(table), None)
    assert (await table.reader().read_changes(iterator)).changes == []
    assert table.streams.report().unread == 3
    table.now = 6.0
    await table.reader().read_changes(iterator)
    assert table.streams.report().unread == 0
    await table.put("d")
    assert table.streams.report().unread == 1
    table.now = 50.0
    await table.reader().list_shards()
    assert table.streams.report().unread == 0


async def test_empty_and_short_pages_lie_between_records_and_lose_none() -> None:
    table = StreamedTable(replace(PLAIN, empty_page_share=0.5, short_page_share=1.0))
    for number in range(300):
        await table.put(f"k{number}")
    read = ReadShards(table)
    assert names(await read.changes()) == [key(f"k{number}") for number in range(300)]
    assert read.empty > 20  # so many are at the end


# Shards --------------------------------------------------------------------------------------


async def test_each_record_is_in_one_shard_however_they_split_and_roll() -> None:
    table = StreamedTable(replace(PLAIN, shards=3))
    chance = random.Random(4)
    written: list[tuple[str, int]] = []
    for version in range(300):
        name = f"k{chance.randrange(20)}"
        await table.put(name, version)
        written.append((name, version))
        table.now += 0.01
        if version % 40 == 39:
            table.streams.do(StreamEvent(do="split" if version % 80 == 39 else "roll"), table.now)
    changes = await ReadShards(table).changes()
    assert len(changes) == 300
    for one in {name for name, _ in written}:
        versions = [change.image for change in changes if change.key == key(one)]
        assert versions == [an_item(name, version) for name, version in written if name == one]


async def test_a_closed_shard_has_an_ending_and_children_and_no_next_iterator() -> None:
    table = StreamedTable()
    await table.put("a")
    parent = await only_shard(table)
    reader = table.reader()
    before = await reader.iterator(parent, None)
    table.streams.do(StreamEvent(do="split"), 1.0)
    table.now = 2.0
    listing = {shard.id: shard for shard in (await reader.list_shards()).shards}
    children = await reader.children_of(parent)
    assert {child.id for child in children} == listing.keys() - {parent}
    assert len(children) == 2
    page = await reader.read_changes(before)
    assert page.next_iterator is None
    assert listing[parent].ending == page.last_sequence
    assert all(listing[child.id].ending is None for child in children)


async def test_a_listing_comes_in_pages() -> None:
    table = StreamedTable(replace(PLAIN, shards=5, shards_a_listing=2))
    assert len({shard.id for shard in (await table.reader().list_shards()).shards}) == 5
    assert table.streams.counts["listings"] == 3


async def test_a_stale_listing_shows_an_open_parent_and_no_children() -> None:
    table = StreamedTable(replace(PLAIN, stale_listing_share=1.0, stale_listing_seconds=2.0))
    parent = await only_shard(table)
    table.now = 5.0
    table.streams.do(StreamEvent(do="roll"), 5.0)
    (shown,) = (await table.reader().list_shards()).shards
    assert (shown.id, shown.ending) == (parent, None)
    table.now = 7.1
    assert len((await table.reader().list_shards()).shards) == 2


async def test_more_listings_than_an_account_may_have_are_throttled() -> None:
    table = StreamedTable()
    for _ in range(10):
        await table.reader().list_shards()
    with pytest.raises(ThrottledError, match="ThrottlingException"):
        await table.reader().list_shards()


# Positions -----------------------------------------------------------------------------------


async def test_a_position_is_behind_a_record() -> None:
    table = StreamedTable()
    for name in "abc":
        await table.put(name)
    reader, shard = table.reader(), await only_shard(table)
    one = await table.ask("GetRecords", ShardIterator=await reader.iterator(shard, None), Limit=1)
    number = int(one["Records"][0]["dynamodb"]["SequenceNumber"])
    page = await reader.read_changes(await reader.iterator(shard, number))
    assert [change.key for change in page.changes] == [key("b"), key("c")]
    latest = await table.ask(
        "GetShardIterator",
        StreamArn=table.streams.stream(str(table.streams.report().arn)).arn,
        ShardId=shard,
        ShardIteratorType="LATEST",
    )
    table.now = 1.5  # no third reader
    assert (await reader.read_changes(latest["ShardIterator"])).changes == []


async def test_an_iterator_expires() -> None:
    table = StreamedTable(replace(PLAIN, iterator_seconds=10.0))
    iterator = await table.reader().iterator(await only_shard(table), None)
    table.now = 10.1
    with pytest.raises(ExpiredIteratorError):
        await table.reader().read_changes(iterator)


async def test_what_is_older_than_the_retention_is_trimmed_and_asked_for_in_vain() -> None:
    table = StreamedTable(replace(PLAIN, retention_seconds=100.0))
    await table.put("a")
    reader, shard = table.reader(), await only_shard(table)
    before = await reader.iterator(shard, None)
    page = await reader.read_changes(before)
    table.now = 50.0
    await table.put("b")
    table.now = 101.0
    with pytest.raises(TrimmedError):
        await reader.read_changes(before)
    with pytest.raises(TrimmedError):
        await reader.iterator(shard, page.last_sequence)
    left = await reader.read_changes(await reader.iterator(shard, None))
    assert [change.key for change in left.changes] == [key("b")]
    # The iterator that stands behind the last trimmed record has lost nothing.
    assert page.next_iterator is not None
    assert len((await reader.read_changes(page.next_iterator)).changes) == 1


async def test_a_closed_shard_goes_with_its_age_and_one_of_which_nothing_is_left_says_so() -> None:
    table = StreamedTable(replace(PLAIN, retention_seconds=100.0))
    await table.put("a")
    reader, parent = table.reader(), await only_shard(table)
    table.now = 60.0
    table.streams.do(StreamEvent(do="roll"), 60.0)
    table.now = 101.0
    horizon = await reader.iterator(parent, None)
    with pytest.raises(TrimmedError):
        await reader.read_changes(horizon)
    table.now = 170.0
    assert parent not in {shard.id for shard in (await reader.list_shards()).shards}
    with pytest.raises(ShardGoneError, match="Shard"):
        await reader.iterator(parent, None)


# Limits --------------------------------------------------------------------------------------


async def test_a_shard_takes_two_readers_and_refuses_the_third() -> None:
    table = StreamedTable()
    reader, shard = table.reader(), await only_shard(table)
    iterators = [await reader.iterator(shard, None) for _ in range(3)]
    for iterator in iterators[:2]:
        await reader.read_changes(iterator)
    with pytest.raises(ThrottledError) as caught:
        await reader.read_changes(iterators[2])
    assert caught.value.code == "LimitExceededException"
    table.now = 1.5  # the others are gone
    await reader.read_changes(iterators[2])


async def test_other_readers_take_the_places_that_there_are() -> None:
    table = StreamedTable(replace(PLAIN, other_readers=2))
    reader = table.reader()
    iterator = await reader.iterator(await only_shard(table), None)
    with pytest.raises(ThrottledError, match="LimitExceededException"):
        await reader.read_changes(iterator)


async def test_a_shard_takes_five_reads_a_second() -> None:
    table = StreamedTable()
    reader = table.reader()
    iterator = await reader.iterator(await only_shard(table), None)
    for _ in range(5):
        await reader.read_changes(iterator)
    with pytest.raises(ThrottledError) as caught:
        await reader.read_changes(iterator)
    assert caught.value.code == "ThrottlingException"
    table.now = 0.3
    await reader.read_changes(iterator)


async def test_a_shard_gives_two_megabytes_a_second() -> None:
    table = StreamedTable(capacity=Provisioned(write_units=1e6, read_units=1e6))
    for number in range(10):
        item = {"pk": {"S": f"k{number}"}, "text": {"S": "x" * 390_000}}
        await table.ask("PutItem", TableName="orders", Item=item)
    reader = table.reader()
    iterator: str | None = await reader.iterator(await only_shard(table), None)
    for _ in range(3):
        assert iterator is not None
        iterator = (await reader.read_changes(iterator)).next_iterator
    with pytest.raises(ThrottledError, match="ThrottlingException"):
        await reader.read_changes(str(iterator))


async def test_a_stream_can_be_out() -> None:
    table = StreamedTable(replace(PLAIN, brown_outs=(BrownOut(seconds=5, answer="500"),)))
    with pytest.raises(UnavailableError):
        await table.reader().list_shards()
    table.now = 6.0
    assert await only_shard(table)


# Another stream ------------------------------------------------------------------------------


async def test_a_disabled_stream_is_read_to_its_end_beside_the_one_that_follows() -> None:
    table = StreamedTable(replace(PLAIN, retention_seconds=100.0))
    await table.put("a")
    old, shard = table.reader(), await only_shard(table)
    table.now = 1.0
    off = {"StreamEnabled": False}
    described = await table.ask("UpdateTable", TableName="orders", StreamSpecification=off)
    assert "StreamSpecification" not in described["TableDescription"]
    await table.put("unseen")
    table.now = 2.0
    on = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    await table.ask("UpdateTable", TableName="orders", StreamSpecification=on)
    await table.put("b")
    listing = await old.list_shards()
    assert not listing.is_enabled
    page = await old.read_changes(await old.iterator(shard, None))
    assert [change.key for change in page.changes] == [key("a")]
    assert page.next_iterator is None
    (seen,) = await ReadShards(table).changes()
    assert (seen.key, seen.kind) == (key("b"), ChangeKind.READ_AGAIN)
    assert len((await table.ask("ListStreams", TableName="orders"))["Streams"]) == 2
    table.now = 200.0
    with pytest.raises(RequestRefusedError):
        await table.ask("UpdateTable", TableName="orders", StreamSpecification=on)
    assert len((await table.ask("ListStreams", TableName="orders"))["Streams"]) == 1


async def test_a_table_describes_its_stream_as_the_service_does() -> None:
    table = StreamedTable(Stream(enabled_before_seconds=0.0))
    described = (await table.ask("DescribeTable", TableName="orders"))["Table"]
    assert described["StreamSpecification"] == {
        "StreamEnabled": True,
        "StreamViewType": "NEW_IMAGE",
    }
    assert described["LatestStreamLabel"] == "2027-01-15T08:00:00.000"
    assert described["LatestStreamArn"] == (
        "arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/2027-01-15T08:00:00.000"
    )
    none = StreamedTable(Stream(enabled=False))
    assert "LatestStreamArn" not in (await none.ask("DescribeTable", TableName="orders"))["Table"]


async def test_what_is_planned_for_a_stream_happens_when_somebody_reads_it() -> None:
    events = (
        StreamEvent(do="split", at_seconds=5.0, shards=0),
        StreamEvent(do="roll", at_seconds=1.0, every_seconds=10.0),
    )
    table = StreamedTable(replace(PLAIN, events=events))
    table.now = 12.0
    assert len((await table.reader().list_shards()).shards) == 1 + 1 + 2 + 1
    assert table.streams.report().open_shards == 2


async def test_partitions_that_split_split_the_shards() -> None:
    table = StreamedTable(
        replace(PLAIN, shards=None), capacity=Provisioned(write_units=1000, read_units=1000)
    )
    assert len((await table.reader().list_shards()).shards) == 1
    table.service.tables["orders"].model.change(Change(write_units=4000), 1.0)
    table.now = 1.0
    await table.reader().list_shards()
    assert table.streams.report().open_shards == 4
