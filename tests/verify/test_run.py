"""A verification between two accounts, through the command line and from Python."""

import itertools
import json
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio.lowlevel
import msgspec
import pytest
from anyio import to_thread

from dynaferry import CopyPlan, StopSignal, copy_table
from dynaferry.dynamodb.client import DynamoClient, RequestSeries
from dynaferry.dynamodb.tables.description import TableDescription, read_description
from dynaferry.errors import (
    AccessDeniedError,
    PlanError,
    PreflightError,
    StateError,
    UnavailableError,
)
from dynaferry.plan.settings import TablePlan
from dynaferry.report.certificate import read_certificate
from dynaferry.state.directory import state_path
from dynaferry.state.move_records import MoveRecord, Stage
from dynaferry.state.sqlite.move_file import MoveFile
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.verify.compare.repair import RepairPlan
from dynaferry.verify.in_use import is_in_use
from dynaferry.verify.run import execute, verify_tables
from dynaferry.verify.settings import VerifyPlan
from dynaferry.verify.stats import ComparisonRunStats
from tests.worlds.client import WireItem
from tests.worlds.moto import TARGET_EXTERNAL_ID, MotoWorld
from tests.worlds.refusals import REFUSED, refusing_marked_items

ITEMS = 120


def an_item(number: int) -> WireItem:
    return {
        "pk": {"S": f"k{number}"},
        "n": {"N": str(number)},
        "tags": {"SS": ["a", "b", "c"]},
        "map": {"M": {"x": {"N": "1"}, "y": {"B": "AA=="}}},
    }


def written_otherwise(item: WireItem) -> WireItem:
    """The same item with everything that has no order in another one."""
    other = dict(reversed(item.items()))
    other["tags"] = {"SS": ["c", "a", "b"]}
    other["map"] = {"M": {"y": {"B": "AA=="}, "x": {"N": "1.0"}}}
    return other


@pytest.fixture
async def world(moto_world: MotoWorld) -> MotoWorld:
    """Two accounts with a table `orders` of the same items, in another notation on the target."""
    items = [an_item(number) for number in range(ITEMS)]
    for tables in (moto_world.source_tables, moto_world.target_tables):
        await tables.create_table("orders")
    await moto_world.source_tables.put_items("orders", items)
    await moto_world.target_tables.put_items("orders", map(written_otherwise, items))
    return moto_world


async def plant(world: MotoWorld) -> None:
    """Two missing, one different, three extra."""
    for number in (3, 4):
        await world.target_tables.delete_item("orders", {"pk": {"S": f"k{number}"}})
    await world.target_tables.put_items(
        "orders",
        [
            an_item(5) | {"n": {"N": "-5"}, "new": {"S": "secret-value"}},
            *({"pk": {"S": f"extra{number}"}} for number in range(3)),
        ],
    )


def plan_for(world: MotoWorld, state_dir: Path, **settings: Any) -> VerifyPlan:
    copy = CopyPlan(
        tables=(TablePlan("orders", "orders"),),
        source=world.source,
        target=world.target,
        sts_endpoint_url=world.sts_endpoint_url,
        state_dir=state_dir,
        segments=4,
        readers=2,
    )
    copy_settings = {n: settings.pop(n) for n in list(settings) if n in CopyPlan.__struct_fields__}
    copy = msgspec.structs.replace(copy, **copy_settings)
    return msgspec.structs.replace(VerifyPlan(copy=copy, settle_seconds=0.0), **settings)


def record_calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Every call of the data path from here on: (side, operation)."""
    calls: list[tuple[str, str]] = []
    ask = RequestSeries.send

    async def recording(self: RequestSeries, body: bytes) -> bytes:
        calls.append((self._client.site.side, self._operation))
        return await ask(self, body)

    monkeypatch.setattr(RequestSeries, "send", recording)
    return calls


async def test_equal_tables_are_equal_however_they_are_written(
    world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = record_calls(monkeypatch)
    summary = await verify_tables(plan_for(world, tmp_path))
    (table,) = summary.tables
    assert (summary.status, table.status, summary.error) == ("equal", "equal", None)
    assert table.source_items == table.target_items == table.matching == ITEMS
    assert table.digest == table.target_digest
    assert (table.segments_total, table.segments_compared) == (4, 4)
    assert table.read_units > 0
    assert {operation for _, operation in calls} == {"Scan"}


async def test_what_differs_is_listed_by_kind_key_and_attributes_and_never_by_value(
    world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await plant(world)
    calls = record_calls(monkeypatch)
    summary = await verify_tables(plan_for(world, tmp_path))
    (table,) = summary.tables
    assert (summary.status, table.source_items, table.target_items) == ("different", 120, 121)
    assert (table.matching, table.missing, table.different, table.extra) == (117, 2, 1, 3)
    document = json.loads(msgspec.json.encode(summary))
    found = {
        (one["kind"], one["key"]["pk"]["S"]): one["attributes"]
        for one in document["tables"][0]["differences"]
    }
    assert found == {
        ("missing", "k3"): [],
        ("missing", "k4"): [],
        ("different", "k5"): ["n", "new"],
        ("extra", "extra0"): [],
        ("extra", "extra1"): [],
        ("extra", "extra2"): [],
    }
    assert "secret-value" not in json.dumps(document)
    assert {operation for _, operation in calls} == {"Scan", "BatchGetItem"}
    files = [path.read_bytes() for path in tmp_path.iterdir()]
    assert not any(b"secret-value" in content for content in files)


async def test_values_are_shown_to_who_asks(world: MotoWorld, tmp_path: Path) -> None:
    await plant(world)
    summary = await verify_tables(plan_for(world, tmp_path, show_values=True))
    document = json.loads(msgspec.json.encode(summary))
    different = [d for d in document["tables"][0]["differences"] if d["kind"] == "different"]
    assert different[0]["values"] == {
        "n": {"source": {"N": "5"}, "target": {"N": "-5"}},
        "new": {"target": {"S": "secret-value"}},
    }


async def test_as_many_as_the_limit_are_listed_and_all_are_counted(
    world: MotoWorld, tmp_path: Path
) -> None:
    await plant(world)
    (table,) = (await verify_tables(plan_for(world, tmp_path, limit=2))).tables
    assert len(table.differences) == 2
    assert (table.missing, table.different, table.extra) == (2, 1, 3)


async def test_a_repair_is_approved_before_anything_is_written(
    world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await plant(world)
    plan = plan_for(world, tmp_path, repair=True, delete_extra=True)
    asked: list[RepairPlan] = []

    async def answer_no(planned: RepairPlan) -> bool:
        asked.append(planned)
        return False

    calls = record_calls(monkeypatch)
    outcome = await execute(plan, approve=answer_no)
    assert outcome.summary.status == "different"
    assert [(p.write_missing, p.overwrite_different, p.delete_extra) for p in asked] == [(2, 1, 3)]
    assert {operation for _, operation in calls} == {"Scan", "BatchGetItem"}

    (table,) = (await verify_tables(plan)).tables
    assert (table.status, table.written, table.deleted) == ("equal", 3, 3)
    assert {op for side, op in calls if side == "source"} == {"Scan", "BatchGetItem"}
    (again,) = (await verify_tables(plan_for(world, tmp_path))).tables
    assert (again.status, again.matching, again.target_items) == ("equal", 120, 120)
    assert await world.target_tables.read_items("orders")


async def moved(world: MotoWorld, state_dir: Path, *stages: Stage) -> None:
    """The run was a move, which has come to the last of these states."""
    settings = {"allow_non_empty_target": True}
    assert (await copy_table(plan_for(world, state_dir, **settings).copy)).status == "complete"
    file = await MoveFile.open(state_dir, "orders")
    await file.begin_move(stages[0], 1.0, has_way_back=True)
    for at, (before, stage) in enumerate(itertools.pairwise(stages)):
        assert await file.enter(stage, before, 2.0 + at)
    await file.aclose()


SWITCHED: tuple[Stage, ...] = ("cutting-over", "switched")


async def test_no_repair_writes_to_a_target_that_is_in_use_since_a_switch(
    world: MotoWorld, tmp_path: Path
) -> None:
    await moved(world, tmp_path, *SWITCHED)
    await plant(world)
    held = await world.target_tables.read_table("orders")
    (table,) = (await verify_tables(plan_for(world, tmp_path))).tables
    assert (table.missing, table.different, table.extra) == (2, 1, 3)
    mending = [plan_for(world, tmp_path, **{flag: True}) for flag in ("repair", "delete_extra")]
    for plan in mending:
        with pytest.raises(StateError, match="in use since its switch"):
            await verify_tables(plan)
    assert await world.target_tables.read_table("orders") == held
    file = await MoveFile.open(tmp_path, "orders")
    await file.enter("going-back", "switched", 8.0)
    await file.enter("returned", "going-back", 9.0)
    await file.aclose()
    await verify_tables(mending[0])
    assert await world.target_tables.read_table("orders") != held


@pytest.mark.parametrize(
    ("move", "is_so"),
    [
        (MoveRecord(stage="following", since=1.0), False),
        (MoveRecord(stage="cutting-over", since=1.0), False),
        (MoveRecord(stage="switched", since=2.0, switched_at=2.0), True),
        (MoveRecord(stage="going-back", since=3.0, switched_at=2.0), True),
        (MoveRecord(stage="finished", since=3.0, switched_at=2.0), True),
        (MoveRecord(stage="finished", since=4.0, switched_at=2.0, returned_at=3.0), False),
        (MoveRecord(stage="finished", since=5.0, switched_at=4.0, returned_at=3.0), True),
        (MoveRecord(stage="following", since=4.0, switched_at=2.0, returned_at=3.0), False),
        (MoveRecord(stage="aborted", since=4.0), False),
    ],
)
def test_a_target_is_in_use_from_a_switch_to_the_way_back(move: MoveRecord, is_so: bool) -> None:
    assert is_in_use(move) == is_so


def own_attributes(region: str, second: int) -> WireItem:
    """What a global table of version 2017.11.29 writes into each item."""
    return {
        "aws:rep:deleting": {"BOOL": False},
        "aws:rep:updateregion": {"S": region},
        "aws:rep:updatetime": {"N": f"{second}.000001"},
    }


async def test_what_a_legacy_global_table_writes_by_itself_is_neither_copied_nor_compared(
    moto_world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_legacy(table: dict[str, Any], **more: Any) -> TableDescription:
        return read_description(table | {"GlobalTableVersion": "2017.11.29"}, **more)

    monkeypatch.setattr("dynaferry.dynamodb.tables.describe.read_description", read_legacy)
    await moto_world.source_tables.create_table("orders")
    items = [an_item(n) | own_attributes("us-east-1", n) for n in range(ITEMS)]
    await moto_world.source_tables.put_items("orders", items)
    plan = plan_for(moto_world, tmp_path, create_target=True, repair=True)
    copied = await copy_table(plan.copy)
    assert (copied.tables[0].items_read, copied.tables[0].items_written) == (ITEMS, ITEMS)
    target = await moto_world.target_tables.read_items("orders")
    assert len(target) == ITEMS
    assert not any(name.startswith("aws:") for item in target for name in item)

    theirs = [an_item(n) | own_attributes("eu-west-1", 900 + n) for n in range(ITEMS)]
    theirs[5]["n"] = {"N": "-5"}
    await moto_world.target_tables.put_items("orders", theirs)
    said: list[str] = []
    summary = (await execute(plan, say=said.append)).summary
    (table,) = summary.tables
    assert (summary.status, table.matching, table.written) == ("equal", ITEMS - 1, 1)
    assert table.overwritten == table.unseen == 0
    assert any("aws:rep" in line for line in said)


async def test_items_that_the_copy_set_aside_are_reported_apart(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    await moto_world.source_tables.create_table("orders")
    items = [an_item(n) | {"note": {"S": REFUSED if n < 2 else "fine"}} for n in range(ITEMS)]
    await moto_world.source_tables.put_items("orders", items)
    plan = plan_for(moto_world, tmp_path, create_target=True)
    with refusing_marked_items():
        assert (await copy_table(plan.copy)).status == "rejected"
    await moto_world.target_tables.delete_item("orders", {"pk": {"S": "k77"}})
    summary = await verify_tables(plan)
    (table,) = summary.tables
    assert (summary.status, table.rejected, table.missing, table.matching) == (
        "different",
        2,
        1,
        ITEMS - 3,
    )
    assert sorted(one.kind for one in table.differences) == ["missing", "rejected", "rejected"]


async def test_a_stopped_verification_goes_on_and_one_that_ended_begins_anew(
    world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await plant(world)
    plan = plan_for(world, tmp_path, readers=1)
    stop = StopSignal()

    async def stop_early(stats: ComparisonRunStats) -> None:
        while stats.tables[0].segments_complete == 0:  # plain counters tell nobody
            await anyio.lowlevel.checkpoint()
        stop.ask()

    first = (await execute(plan, stop=stop, watch=stop_early)).summary
    assert first.status == first.tables[0].status == "interrupted"
    done = first.tables[0].segments_compared
    assert 0 < done < 4

    said: list[str] = []
    calls = record_calls(monkeypatch)
    second = (await execute(plan, say=said.append)).summary
    (table,) = second.tables
    assert second.status == "different"
    assert (table.matching, table.missing, table.different, table.extra) == (117, 2, 1, 3)
    assert calls.count(("source", "Scan")) == 4 - done
    assert any("resuming" in line and "the oldest" in line for line in said)
    assert second.attempts == 2
    assert table.oldest_segment_at is not None

    calls.clear()
    third = (await execute(plan)).summary
    assert third.tables[0].matching == 117
    assert calls.count(("source", "Scan")) == 4


async def failed_halfway(plan: VerifyPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt that ends with an error after its first segment."""
    with monkeypatch.context() as patched:
        call, scans = DynamoClient.send, 0

        async def deny(self: DynamoClient, operation: str, body: bytes) -> bytes:
            nonlocal scans
            scans += operation == "Scan"
            if scans > 2:
                raise AccessDeniedError("the policy was changed")
            return await call(self, operation, body)

        patched.setattr(DynamoClient, "send", deny)
        outcome = await execute(plan)
    assert isinstance(outcome.error, AccessDeniedError)
    assert (outcome.summary.status, outcome.summary.tables[0].segments_compared) == ("failed", 1)


@pytest.mark.parametrize("proving", ["repair", "delete_extra", "certificate"])
async def test_what_proves_something_begins_anew_unless_it_is_asked_to_resume(
    world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proving: str
) -> None:
    """What was written to the segments that were done would not be seen."""
    plan = plan_for(world, tmp_path / "state", readers=1)
    asked = {proving: tmp_path / "orders.json" if proving == "certificate" else True}
    await failed_halfway(plan, monkeypatch)
    await plant(world)
    calls, said = record_calls(monkeypatch), list[str]()
    outcome = await execute(msgspec.structs.replace(plan, **asked), say=said.append)
    assert calls.count(("source", "Scan")) == 4
    assert outcome.summary.attempts == 1
    assert any("starting over" in line and "--resume" in line for line in said)

    await failed_halfway(plan, monkeypatch)
    calls.clear()
    said.clear()
    resuming = msgspec.structs.replace(plan, resume=True, **asked)
    outcome = await execute(resuming, say=said.append)
    assert calls.count(("source", "Scan")) == 3
    assert outcome.summary.attempts == 2
    assert any("resuming" in line for line in said)

    said.clear()
    outcome = await execute(resuming, say=said.append)
    assert outcome.summary.attempts == 1
    assert any("no unfinished verification" in line for line in said)


async def test_what_a_dropped_repair_had_replaced_unknown_is_said(
    world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_for(world, tmp_path, readers=1)
    await failed_halfway(plan, monkeypatch)
    with closing(sqlite3.connect(state_path(tmp_path, "orders.verify"))) as connection:
        connection.execute(
            "INSERT INTO differences VALUES (0, ?, 'different', ?, NULL, NULL, 'unseen')",
            (b'{"pk":{"S":"k1"}}', b"[]"),
        )
        connection.commit()
    said = list[str]()
    await execute(msgspec.structs.replace(plan, repair=True), say=said.append)
    assert any("wrote 1 items of which it is not known" in line for line in said)


async def test_what_proves_something_scans_consistently_unless_it_is_asked_not_to(
    world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = list[str]()
    plan = plan_for(world, tmp_path / "state", certificate=tmp_path / "orders.json")
    ask, bodies = RequestSeries.send, list[Any]()

    async def recording(self: RequestSeries, body: bytes) -> bytes:
        bodies.append(json.loads(body))
        return await ask(self, body)

    monkeypatch.setattr(RequestSeries, "send", recording)
    assert (await execute(plan, say=said.append)).summary.consistent_read
    assert all(body["ConsistentRead"] for body in bodies)
    assert any("twice the read units" in line for line in said)

    bodies.clear()
    cheaper = msgspec.structs.replace(plan, consistent_read=False)
    assert not (await verify_tables(cheaper)).consistent_read
    assert not any(body["ConsistentRead"] for body in bodies)
    assert not json.loads((tmp_path / "orders.json").read_text())["consistent_read"]


async def test_a_certificate_is_consistent_only_if_every_segment_of_it_is(
    world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_for(world, tmp_path / "state", readers=1)
    await failed_halfway(plan, monkeypatch)
    path = tmp_path / "orders.json"
    resuming = msgspec.structs.replace(plan, resume=True, certificate=path)
    assert not (await verify_tables(resuming)).consistent_read
    assert not json.loads(path.read_text())["consistent_read"]


async def test_a_verification_that_an_older_dynaferry_left_is_resumed(
    world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_for(world, tmp_path, readers=1)
    await failed_halfway(plan, monkeypatch)
    with closing(sqlite3.connect(state_path(tmp_path, "orders.verify"))) as connection:
        for column in ("settled_by_key", "compared_at", "consistent_read"):
            connection.execute(f"ALTER TABLE segments DROP COLUMN {column}")
        connection.execute("ALTER TABLE tables DROP COLUMN settled_by_key")
        connection.commit()
    summary = await verify_tables(plan)
    assert (summary.status, summary.attempts, summary.consistent_read) == ("equal", 2, False)


async def test_a_sample_that_holds_no_item_is_undecided(
    moto_world: MotoWorld, tmp_path: Path
) -> None:
    for tables in (moto_world.source_tables, moto_world.target_tables):
        await tables.create_table("orders")
    whole = plan_for(moto_world, tmp_path)
    assert (await verify_tables(whole)).status == "equal"  # both were read to their end
    summary = await verify_tables(msgspec.structs.replace(whole, sample_percent=50.0))
    assert (summary.status, summary.tables[0].undecided) == ("undecided", ("nothing_compared",))


@pytest.mark.parametrize(
    ("change", "words"), [({"segments": 5}, "segments"), ({"sample_percent": 50.0}, "sample|50 %")]
)
async def test_an_unfinished_one_of_another_kind_is_refused_and_left_as_it_is(
    world: MotoWorld,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, Any],
    words: str,
) -> None:
    await failed_halfway(plan_for(world, tmp_path, readers=1), monkeypatch)
    other = plan_for(world, tmp_path, **change)
    with pytest.raises(StateError, match=words):
        await verify_tables(other)
    restarted = plan_for(world, tmp_path, restart=True, **change)
    assert (await verify_tables(restarted)).status == "equal"


async def test_a_sample_compares_its_share_and_says_so(world: MotoWorld, tmp_path: Path) -> None:
    await plant(world)
    plan = plan_for(world, tmp_path, segments=20, sample_percent=25.0)
    summary = await verify_tables(plan)
    (table,) = summary.tables
    assert summary.sample_percent == 25.0
    assert (table.segments_total, table.segments_compared) == (5, 5)
    assert 0 < table.source_items < ITEMS
    assert table.source_items == table.matching + table.missing + table.different


async def test_the_certificate_says_what_was_found_and_holds_no_key_and_no_secret(
    world: MotoWorld, tmp_path: Path
) -> None:
    await plant(world)
    path = tmp_path / "orders.json"
    path.write_text("an older one")
    summary = await verify_tables(plan_for(world, tmp_path, certificate=path))
    text = path.read_text()
    certificate = json.loads(text)
    (table,) = certificate["tables"]
    assert (certificate["status"], table["status"]) == ("different", "different")
    assert (table["matching"], table["missing"], table["extra"]) == (117, 2, 3)
    assert table["source_digest"] == summary.tables[0].digest != table["target_digest"]
    assert table["target_arn"] == "arn:aws:dynamodb:us-east-1:222222222222:table/orders"
    assert certificate["began_at"].endswith("Z")
    reported = (await to_thread.run_sync(read_certificate, path)).tables[0]
    assert (reported.source, reported.matching, reported.extra) == ("orders", 117, 3)
    assert "extra0" not in text
    assert TARGET_EXTERNAL_ID not in text
    assert "role" not in text
    assert [p.name for p in tmp_path.iterdir() if p.name.endswith(".new")] == []
    assert stat.S_ISREG(path.stat().st_mode)


async def test_no_certificate_is_written_of_what_did_not_end(
    world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "orders.json"
    plan = plan_for(world, tmp_path, readers=1, certificate=path)
    await failed_halfway(plan, monkeypatch)
    assert not path.exists()


def _no_target(plan: VerifyPlan) -> VerifyPlan:
    copy = msgspec.structs.replace(plan.copy, tables=(TablePlan("orders", "nowhere"),))
    return msgspec.structs.replace(plan, copy=copy)


def _same_table(plan: VerifyPlan) -> VerifyPlan:
    copy = msgspec.structs.replace(plan.copy, target=plan.copy.source)
    return msgspec.structs.replace(plan, copy=copy)


@pytest.mark.parametrize(
    ("broken", "error", "words"),
    [
        (_no_target, PreflightError, "target table nowhere does not exist"),
        (_same_table, PreflightError, "the same table"),
        (
            lambda plan: msgspec.structs.replace(plan, sample_percent=0.0),
            PlanError,
            "--sample",
        ),
        (
            lambda plan: msgspec.structs.replace(
                plan, resume=True, copy=msgspec.structs.replace(plan.copy, restart=True)
            ),
            PlanError,
            "--restart",
        ),
        (
            lambda plan: msgspec.structs.replace(plan, settle_seconds=float("nan")),
            PlanError,
            "--settle",
        ),
        (
            lambda plan: msgspec.structs.replace(plan, certificate=Path("/no/such/place/x.json")),
            PlanError,
            "certificate",
        ),
    ],
)
async def test_what_cannot_be_compared_is_refused_before_anything_is_read(
    world: MotoWorld,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    broken: Callable[[VerifyPlan], VerifyPlan],
    error: type[Exception],
    words: str,
) -> None:
    calls = record_calls(monkeypatch)
    outcome = await execute(broken(plan_for(world, tmp_path)))
    assert isinstance(outcome.error, error)
    assert words in str(outcome.error)
    assert outcome.summary.status == "refused"
    assert calls == []


async def test_a_side_that_is_gone_ends_it_with_its_reason_and_resumable(
    world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(self: DynamoClient, operation: str, body: bytes) -> bytes:
        raise UnavailableError(f"{operation}: the connection was refused")

    plan = plan_for(world, tmp_path, patience_seconds=0.01)
    with monkeypatch.context() as patched:
        patched.setattr(DynamoClient, "send", gone)
        outcome = await execute(plan)
    assert outcome.summary.status == "failed"
    assert outcome.summary.error is not None
    assert outcome.summary.error.type == "ServiceGoneError"
    assert (await verify_tables(plan)).status == "equal"


async def test_a_copy_state_that_cannot_be_read_is_said_and_does_not_stop_it(
    world: MotoWorld, tmp_path: Path
) -> None:
    path = state_path(tmp_path, "orders")
    path.write_bytes(b"not a state file")
    said: list[str] = []
    outcome = await execute(plan_for(world, tmp_path), say=said.append)
    assert outcome.summary.status == "equal"
    assert any("not counted apart" in line for line in said)
    assert path.read_bytes() == b"not a state file"


async def test_the_copys_own_state_is_only_read(world: MotoWorld, tmp_path: Path) -> None:
    plan = plan_for(world, tmp_path, allow_non_empty_target=True)
    await copy_table(plan.copy)
    before = state_path(tmp_path, "orders").read_bytes()
    await verify_tables(plan)
    assert state_path(tmp_path, "orders").read_bytes() == before
    store = await SqliteStore.open(tmp_path, "orders")
    try:
        assert (await store.read_run()).status == "complete"
    finally:
        await store.aclose()
