from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from dynaferry.dynamodb.account.session import AccountSession, open_account
from dynaferry.dynamodb.tables import create
from dynaferry.dynamodb.tables.describe import SideSettings
from dynaferry.errors import AccessDeniedError, NotReadyError, PreflightError
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.preflight import table_inspection, targets
from dynaferry.preflight.inspection import TablePreflight, check_no_target_is_used_twice, preflight
from dynaferry.preflight.notice import texts
from dynaferry.preflight.notices import Findings
from tests.worlds.described import (
    ScriptedClient,
    ScriptedSession,
    described,
    described_on_the_wire,
    refusal,
    scripted,
)
from tests.worlds.moto import REGION, TARGET_ACCOUNT_ID, TARGET_ROLE_ARN, MotoWorld
from tests.worlds.table_client import TableClient

NO_SETTINGS: dict[str, list[Any]] = {
    "describe_time_to_live": [{}],
    "describe_continuous_backups": [{}],
    "list_tags_of_resource": [{}],
}


@pytest.fixture
def without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks again does so at once."""
    monkeypatch.setattr(create, "CREATE_POLL_SECONDS", 0.0)
    for module in (table_inspection, targets):
        monkeypatch.setattr(module, "DESCRIBE_AGAIN_SECONDS", 0.0)


@asynccontextmanager
async def both_sides(world: MotoWorld) -> AsyncIterator[tuple[AccountSession, AccountSession]]:
    async with (
        open_account(world.source, "source") as source,
        open_account(world.target, "target", sts_endpoint_url=world.sts_endpoint_url) as target,
    ):
        yield source, target


def plan_of(world: MotoWorld, *tables: tuple[str, str], **settings: Any) -> CopyPlan:
    return CopyPlan(
        tables=tuple(TablePlan(source, target) for source, target in tables),
        source=world.source,
        target=world.target,
        sts_endpoint_url=world.sts_endpoint_url,
        **settings,
    )


async def looked_at(
    world: MotoWorld,
    *tables: tuple[str, str],
    resuming: bool = False,
    dry_run: bool = False,
    **settings: Any,
) -> tuple[TablePreflight, ...]:
    plan = plan_of(world, *tables, **settings)
    async with both_sides(world) as (source, target):
        return await preflight(plan, source, target, resuming=resuming, dry_run=dry_run)


async def refused(world: MotoWorld, *tables: tuple[str, str], **settings: Any) -> tuple[str, str]:
    with pytest.raises(PreflightError) as caught:
        await looked_at(world, *tables, **settings)
    return caught.value.message, caught.value.hint or ""


async def names_of(tables: TableClient) -> list[str]:
    answer = await tables.call("ListTables", {})
    return list(answer["TableNames"])


async def test_a_table_that_may_be_copied_is_described_on_both_sides(
    moto_world: MotoWorld,
) -> None:
    await moto_world.source_tables.create_table("orders")
    await moto_world.source_tables.put_items("orders", [{"pk": {"S": str(i)}} for i in range(3)])
    await moto_world.target_tables.create_table("orders")
    (seen,) = await looked_at(moto_world, ("orders", "orders"))
    assert seen.table == TablePlan("orders", "orders")
    assert seen.source.arn == "arn:aws:dynamodb:us-east-1:123456789012:table/orders"
    assert seen.target is not None
    assert seen.target.arn == "arn:aws:dynamodb:us-east-1:222222222222:table/orders"
    assert seen.estimate.items == 3
    assert seen.estimate.segments == seen.total_segments >= 1


async def test_the_number_of_segments_can_be_given_for_the_run_or_for_the_table(
    moto_world: MotoWorld,
) -> None:
    for name in ("a-table", "b-table"):
        await moto_world.source_tables.create_table(name)
        await moto_world.target_tables.create_table(name)
    tables = (TablePlan("a-table", "a-table", segments=7), TablePlan("b-table", "b-table"))
    plan = CopyPlan(tables=tables, source=moto_world.source, target=moto_world.target, segments=5)
    async with both_sides(moto_world) as (source, target):
        seen = await preflight(plan, source, target, resuming=False, dry_run=False)
    assert [table.total_segments for table in seen] == [7, 5]


async def test_a_source_that_is_not_there_is_refused(moto_world: MotoWorld) -> None:
    await moto_world.target_tables.create_table("orders")
    message, hint = await refused(moto_world, ("orders", "orders"))
    assert message == (
        "the source table orders does not exist in us-east-1, "
        "seen as the credentials of the environment"
    )
    assert "--source-region" in hint


async def test_a_source_that_is_not_active_is_refused() -> None:
    source = scripted(describe_table=[described_on_the_wire(TableStatus="CREATING")])
    plan = CopyPlan(tables=(TablePlan("orders", "orders"),))
    with pytest.raises(PreflightError, match="is CREATING, not ACTIVE"):
        await preflight(plan, source, a_target(), resuming=False, dry_run=False)


async def test_a_target_that_is_not_active_is_refused() -> None:
    source = scripted(describe_table=[described_on_the_wire(TableId="a")], **NO_SETTINGS)
    target = scripted(
        "target", describe_table=[described_on_the_wire(TableId="b", TableStatus="DELETING")]
    )
    plan = CopyPlan(tables=(TablePlan("orders", "orders"),))
    with pytest.raises(PreflightError, match=r"the target table .* is DELETING, not ACTIVE"):
        await preflight(plan, source, target, resuming=False, dry_run=False)


def a_target() -> ScriptedSession:
    """A target that is there, empty."""
    there = [described_on_the_wire(TableId="b")]
    return scripted("target", describe_table=there, scan=[{"Items": []}], **NO_SETTINGS)


def on_the_way(**more: list[Any]) -> ScriptedSession:
    """A target that is being created, and ACTIVE when it is looked at again."""
    looks = [
        described_on_the_wire(TableId="b", TableStatus="CREATING"),
        described_on_the_wire(TableId="b", TableStatus="CREATING"),
        described_on_the_wire(TableId="b"),
    ]
    return scripted("target", **{"describe_table": looks, "scan": [{"Items": []}], **more})


def a_source() -> ScriptedSession:
    return scripted(describe_table=[described_on_the_wire(TableId="a")], **NO_SETTINGS)


ORDERS = CopyPlan(tables=(TablePlan("orders", "orders"),))


@pytest.mark.parametrize("resuming", [False, True])
async def test_a_target_that_is_still_being_created_is_waited_for(
    without_waiting: None, resuming: bool
) -> None:
    target, said = on_the_way(**NO_SETTINGS), list[str]()
    (seen,) = await preflight(
        ORDERS, a_source(), target, resuming=resuming, dry_run=False, say=said.append
    )
    assert seen.target is not None
    assert seen.target.status == "ACTIVE"
    assert said == ["orders: waiting until it is ACTIVE with its indexes; Ctrl-C is safe"]
    assert len(target.client.requests_of("scan")) == (not resuming)


async def test_a_target_that_stays_in_creation_stops_the_run_for_now() -> None:
    creating = [described_on_the_wire(TableId="b", TableStatus="CREATING")]
    target = on_the_way(describe_table=creating, **NO_SETTINGS)
    plan = CopyPlan(tables=ORDERS.tables, patience_seconds=0.001)
    with pytest.raises(NotReadyError, match="is not ACTIVE after 0 s"):
        await preflight(plan, a_source(), target, resuming=False, dry_run=False)


async def test_a_dry_run_waits_for_no_target_and_says_so() -> None:
    (seen,) = await preflight(
        ORDERS, a_source(), on_the_way(**NO_SETTINGS), resuming=False, dry_run=True
    )
    assert "the target is being created: the copy waits until it is ACTIVE" in texts(seen.notices)


async def test_a_target_that_others_made_meanwhile_must_fit_as_any_other(
    without_waiting: None,
) -> None:
    target = scripted(
        "target",
        describe_table=[
            refusal("ResourceNotFoundException", "DescribeTable"),
            described_on_the_wire(TableId="b"),
        ],
        create_table=[refusal("ResourceInUseException", "CreateTable")],
        scan=[{"Items": [{"pk": {"S": "a"}}]}],
    )
    plan = CopyPlan(tables=ORDERS.tables, create_target=True)
    with pytest.raises(PreflightError, match="is not empty"):
        await preflight(plan, a_source(), target, resuming=False, dry_run=False)


async def test_a_target_that_is_not_found_for_a_moment_after_it_was_made_is_inspected_again(
    without_waiting: None,
) -> None:
    missing = refusal("ResourceNotFoundException", "DescribeTable")
    target = scripted(
        "target",
        describe_table=[missing, missing, described_on_the_wire(TableId="b")],
        create_table=[{}],
        scan=[refusal("ResourceNotFoundException", "Scan")] * 2 + [{"Items": []}],
    )
    plan = CopyPlan(tables=ORDERS.tables, create_target=True)
    (seen,) = await preflight(plan, a_source(), target, resuming=False, dry_run=False)
    assert seen.just_made
    assert len(target.client.requests_of("scan")) == 3


async def test_the_target_of_a_resumed_run_is_described_more_than_once(
    without_waiting: None,
) -> None:
    missing = refusal("ResourceNotFoundException", "DescribeTable")
    target = scripted(
        "target",
        describe_table=[missing, missing, described_on_the_wire(TableId="b")],
        **NO_SETTINGS,
    )
    (seen,) = await preflight(ORDERS, a_source(), target, resuming=True, dry_run=False)
    assert seen.target is not None


async def test_each_table_of_a_plan_is_described_once() -> None:
    source, target = a_source(), on_the_way(**NO_SETTINGS)
    target.client = ScriptedClient(
        describe_table=[described_on_the_wire(TableId="b")], scan=[{"Items": []}], **NO_SETTINGS
    )
    await preflight(ORDERS, source, target, resuming=False, dry_run=False)
    for side in (source, target):
        assert len(side.client.requests_of("describe_table")) == 1


async def test_a_table_is_not_copied_onto_itself(moto_world: MotoWorld) -> None:
    await moto_world.source_tables.create_table("orders")
    plan = CopyPlan(
        tables=(TablePlan("orders", "orders"),), source=moto_world.source, target=moto_world.source
    )
    async with (
        open_account(moto_world.source, "source") as source,
        open_account(moto_world.source, "target") as target,
    ):
        with pytest.raises(PreflightError, match=r"are the same table, arn:aws:.*:table/orders"):
            await preflight(plan, source, target, resuming=False, dry_run=False)


async def test_a_target_that_is_not_there_is_refused_unless_it_may_be_created(
    moto_world: MotoWorld,
) -> None:
    await moto_world.source_tables.create_table("orders")
    message, hint = await refused(moto_world, ("orders", "copy"))
    assert message == (
        f"the target table copy does not exist in us-east-1, seen as role {TARGET_ROLE_ARN}"
    )
    assert "add --create-target to create it like the source" in hint


async def test_keys_that_differ_are_refused(moto_world: MotoWorld) -> None:
    await moto_world.source_tables.create_table("orders", (("pk", "S"), ("sk", "N")))
    await moto_world.target_tables.create_table("orders", (("pk", "S"), ("sk", "S")))
    message, _ = await refused(moto_world, ("orders", "orders"))
    assert message == (
        "the keys differ: the source orders has partition key pk (S) and sort key sk (N), "
        "the target orders has partition key pk (S) and sort key sk (S)"
    )


async def test_a_target_with_items_is_refused(moto_world: MotoWorld) -> None:
    await moto_world.source_tables.create_table("orders")
    await moto_world.target_tables.create_table("orders")
    await moto_world.target_tables.put_items("orders", [{"pk": {"S": "a"}}])
    message, hint = await refused(moto_world, ("orders", "orders"))
    assert message == (
        f"the target table arn:aws:dynamodb:{REGION}:{TARGET_ACCOUNT_ID}:table/orders is not empty"
    )
    assert "--allow-non-empty-target" in hint


@pytest.mark.parametrize("settings", [{"resuming": True}, {"allow_non_empty_target": True}])
async def test_a_target_with_items_is_taken_by_a_resumed_run_or_if_allowed(
    moto_world: MotoWorld, settings: dict[str, bool]
) -> None:
    await moto_world.source_tables.create_table("orders")
    await moto_world.target_tables.create_table("orders")
    await moto_world.target_tables.put_items("orders", [{"pk": {"S": "a"}}])
    (seen,) = await looked_at(moto_world, ("orders", "orders"), **settings)
    overwrites = any("overwritten" in notice for notice in texts(seen.notices))
    assert overwrites == ("allow_non_empty_target" in settings)


async def test_a_target_that_may_hold_items_is_not_scanned() -> None:
    source = scripted(describe_table=[described_on_the_wire(TableId="a")], **NO_SETTINGS)
    target = scripted("target", describe_table=[described_on_the_wire(TableId="b")], **NO_SETTINGS)
    plan = CopyPlan(tables=(TablePlan("orders", "orders"),), allow_non_empty_target=True)
    await preflight(plan, source, target, resuming=False, dry_run=False)
    assert target.client.requests_of("scan") == []


async def test_a_resumed_run_whose_target_is_gone_is_refused_and_creates_nothing(
    moto_world: MotoWorld, without_waiting: None
) -> None:
    await moto_world.source_tables.create_table("orders")
    message, hint = await refused(moto_world, ("orders", "copy"), resuming=True, create_target=True)
    assert message == "the target table copy of this run is gone from us-east-1"
    assert "--restart" in hint
    assert await names_of(moto_world.target_tables) == []


async def test_targets_are_created_like_their_sources(moto_world: MotoWorld) -> None:
    await moto_world.source_tables.create_table(
        "orders", (("pk", "S"), ("sk", "N")), Tags=[{"Key": "team", "Value": "a"}]
    )
    (seen,) = await looked_at(moto_world, ("orders", "copy"), create_target=True)
    assert seen.target is not None
    assert seen.target.arn == "arn:aws:dynamodb:us-east-1:222222222222:table/copy"
    assert seen.target.keys == seen.source.keys
    tags = await moto_world.target_tables.call(
        "ListTagsOfResource", {"ResourceArn": seen.target.arn}
    )
    assert tags["Tags"] == [{"Key": "team", "Value": "a"}]
    assert texts(seen.notices)[0] == (
        "the target does not exist; it is created like the source before the copy"
    )


async def test_a_target_given_by_its_arn_is_created_in_the_account_that_acts(
    moto_world: MotoWorld,
) -> None:
    await moto_world.source_tables.create_table("orders")
    arn = "arn:aws:dynamodb:us-east-1:222222222222:table/copy"
    (seen,) = await looked_at(moto_world, ("orders", arn), create_target=True)
    assert seen.target is not None
    assert seen.target.arn == arn


async def test_a_dry_run_creates_nothing_and_estimates_all_the_same(
    moto_world: MotoWorld,
) -> None:
    await moto_world.source_tables.create_table("orders", indexes={"by_email": (("email", "S"),)})
    await moto_world.source_tables.put_items("orders", [{"pk": {"S": "a"}}])
    (seen,) = await looked_at(moto_world, ("orders", "copy"), create_target=True, dry_run=True)
    assert seen.target is None
    assert seen.estimate.write_units == 2
    assert await names_of(moto_world.target_tables) == []


async def test_no_target_is_created_before_every_table_is_checked(moto_world: MotoWorld) -> None:
    await moto_world.source_tables.create_table("orders")
    message, _ = await refused(
        moto_world, ("orders", "orders"), ("missing", "missing"), create_target=True
    )
    assert "the source table missing does not exist" in message
    assert await names_of(moto_world.target_tables) == []


async def test_all_that_is_wrong_with_all_tables_is_reported_at_once(
    moto_world: MotoWorld,
) -> None:
    await moto_world.source_tables.create_table("orders", (("pk", "S"), ("sk", "N")))
    await moto_world.target_tables.create_table("orders")
    await moto_world.target_tables.put_items("orders", [{"pk": {"S": "a"}}])
    await moto_world.source_tables.create_table("fine")
    await moto_world.target_tables.create_table("fine")
    tables = ("missing", "missing"), ("orders", "orders"), ("fine", "fine"), ("lost", "lost")
    message, hint = await refused(moto_world, *tables)
    target = f"arn:aws:dynamodb:{REGION}:{TARGET_ACCOUNT_ID}:table/orders"
    role = f"role {TARGET_ROLE_ARN}"
    own = "the credentials of the environment"
    assert message == (
        "6 problems: "
        f"(1) the source table missing does not exist in us-east-1, seen as {own}; the same for"
        " lost; "
        f"(2) the target table missing does not exist in us-east-1, seen as {role}; the same for"
        " lost; "
        "(3) the keys differ: the source orders has partition key pk (S) and sort key sk (N), "
        "the target orders has partition key pk (S); "
        f"(4) the target table {target} is not empty"
    )
    assert hint.startswith("(1) check the name, --source-region")
    assert "; (4) empty it or name another" in hint


async def test_a_role_that_may_not_describe_stays_an_access_error() -> None:
    source = scripted(describe_table=[refusal("AccessDeniedException", "DescribeTable")])
    plan = CopyPlan(tables=(TablePlan("orders", "orders"),))
    with pytest.raises(AccessDeniedError, match="role/reader"):
        await preflight(plan, source, a_target(), resuming=False, dry_run=False)


async def test_a_role_that_may_not_scan_the_target_is_refused_with_the_action_that_it_lacks() -> (
    None
):
    source = scripted(describe_table=[described_on_the_wire(TableId="a")], **NO_SETTINGS)
    target = scripted(
        "target",
        describe_table=[described_on_the_wire(TableId="b")],
        scan=[refusal("AccessDeniedException", "Scan")],
    )
    plan = CopyPlan(tables=(TablePlan("orders", "orders"),))
    with pytest.raises(AccessDeniedError) as caught:
        await preflight(plan, source, target, resuming=False, dry_run=False)
    assert "dynamodb:Scan" in (caught.value.hint or "")


async def test_settings_that_may_not_be_read_do_not_stop_a_copy() -> None:
    denied = {
        method: [refusal("AccessDeniedException", operation)]
        for method, operation in (
            ("describe_time_to_live", "DescribeTimeToLive"),
            ("describe_continuous_backups", "DescribeContinuousBackups"),
        )
    }
    source = scripted(describe_table=[described_on_the_wire(TableId="a")], **denied)
    target = scripted(
        "target", describe_table=[described_on_the_wire(TableId="b")], scan=[{}], **denied
    )
    plan = CopyPlan(tables=(TablePlan("orders", "orders"),))
    (seen,) = await preflight(plan, source, target, resuming=False, dry_run=False)
    assert (
        "the source's time to live is not known (no permission for dynamodb:DescribeTimeToLive)"
        in texts(seen.notices)
    )


def found(source: str, target: str) -> Findings:
    settings = SideSettings(ttl_attribute=None, point_in_time_recovery=False)
    return Findings(
        source=described(source),
        source_settings=settings,
        target=described(target),
        target_settings=settings,
    )


def test_a_plan_that_writes_to_one_of_its_sources_is_refused() -> None:
    with pytest.raises(PreflightError) as caught:
        check_no_target_is_used_twice([found("one", "two"), found("two", "three")])
    assert caught.value.message.endswith(":table/two is also a source of this plan")
    assert (caught.value.hint or "").startswith("copy the two tables in runs of their own")


def test_a_plan_that_writes_to_one_target_twice_is_refused() -> None:
    with pytest.raises(PreflightError) as caught:
        check_no_target_is_used_twice([found("one", "three"), found("two", "three")])
    assert caught.value.message == (
        "two sources of this plan go to one target, "
        "arn:aws:dynamodb:us-east-1:123456789012:table/three"
    )
    assert "a target of its own" in (caught.value.hint or "")


def test_a_plan_with_a_target_for_each_source_passes() -> None:
    check_no_target_is_used_twice([found("one", "three"), found("two", "four")])


async def test_a_dry_run_says_what_warming_would_ask_for_and_asks_nothing(
    moto_world: MotoWorld,
) -> None:
    await moto_world.source_tables.create_table("orders")
    await moto_world.target_tables.create_table("copy")
    (seen,) = await looked_at(moto_world, ("orders", "copy"), warm_target=9000, dry_run=True)
    assert texts(seen.notices)[0].startswith(
        "--warm-target asks for 9,000 warm write units a second of the table ("
    )
    assert "never decreases" in texts(seen.notices)[0]
    (again,) = await looked_at(moto_world, ("orders", "copy"), dry_run=True)
    assert again.target == seen.target
