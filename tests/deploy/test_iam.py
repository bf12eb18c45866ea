"""The roles of deploy/iam, deployed into moto with IAM enforced, and a copy under them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from anyio import to_thread
from msgspec.structs import replace

from dynaferry import CopyPlan
from dynaferry.dead_letters.replay import ReplayRequest, replay
from dynaferry.dynamodb.account.session import open_account
from dynaferry.dynamodb.tables.describe import describe_table
from dynaferry.errors import AccessDeniedError
from dynaferry.follow.enabled_streams import enabled_streams
from dynaferry.follow.move_tables import execute as move
from dynaferry.observe.move_status import MoveStatus
from dynaferry.observe.stats import RunStats
from dynaferry.plan.settings import Account, TablePlan
from dynaferry.run.copy_tables import execute
from dynaferry.run.outcome import Outcome
from dynaferry.run.table_copy import TableTask, copy_one_table
from dynaferry.stop import StopSignal
from tests.worlds.iam import (
    RUNNER_ROLE_ARN,
    actions_of,
    deploy,
    enforced,
    policies_of,
    session_of_runner,
    table_arn,
    take_away,
    take_table_away,
    trust_of,
)
from tests.worlds.moto import (
    REGION,
    SOURCE_ACCOUNT_ID,
    TARGET_ACCOUNT_ID,
    TARGET_ROLE_ARN,
    MotoWorld,
)
from tests.worlds.refusals import REFUSED, refusing_marked_items

SOURCE_ROLE_ARN = f"arn:aws:iam::{SOURCE_ACCOUNT_ID}:role/dynaferry-source"
SOURCE_SECRET, TARGET_SECRET = "of-the-source", "of-the-target"
ITEMS = 60
COPIED = ("orders", *(f"orders-{number}" for number in range(2, 9)))

# Every action of the data plane and beside it that changes a table or what is in it.
WRITES: dict[str, dict[str, object]] = {
    "PutItem": {"Item": {"pk": {"S": "a"}}},
    "UpdateItem": {"Key": {"pk": {"S": "a"}}},
    "DeleteItem": {"Key": {"pk": {"S": "a"}}},
    "BatchWriteItem": {"RequestItems": {"orders": [{"PutRequest": {"Item": {"pk": {"S": "a"}}}}]}},
    "UpdateTable": {"BillingMode": "PAY_PER_REQUEST"},
    "DeleteTable": {},
    "UpdateTimeToLive": {"TimeToLiveSpecification": {"Enabled": True, "AttributeName": "ttl"}},
}
MAY_READ = {
    "dynamodb:BatchGetItem",
    "dynamodb:DescribeContinuousBackups",
    "dynamodb:DescribeGlobalTable",
    "dynamodb:DescribeTable",
    "dynamodb:DescribeTimeToLive",
    "dynamodb:GetItem",
    "dynamodb:ListTagsOfResource",
    "dynamodb:Scan",
}


def deploy_roles(
    world: MotoWorld, source_too: Mapping[str, str] | None = None, **target: str
) -> None:
    """The three roles; `target` are parameters of the target's, `source_too` of the source's."""
    deploy(
        world,
        "source",
        "runner",
        RoleArns=f"{SOURCE_ROLE_ARN},{TARGET_ROLE_ARN}",
    )
    source = deploy(
        world,
        "source",
        "source",
        RunnerArn=RUNNER_ROLE_ARN,
        ExternalId=SOURCE_SECRET,
        TableArns=",".join(table_arn(SOURCE_ACCOUNT_ID, table) for table in COPIED),
        **(source_too or {}),
    )
    assert source == SOURCE_ROLE_ARN
    parameters = {
        "RunnerArn": RUNNER_ROLE_ARN,
        "ExternalId": TARGET_SECRET,
        "TableArns": ",".join(table_arn(TARGET_ACCOUNT_ID, table) for table in COPIED),
    }
    assert deploy(world, "target", "target", **parameters, **target) == TARGET_ROLE_ARN


@pytest.fixture
async def world(moto_world: MotoWorld, monkeypatch: pytest.MonkeyPatch) -> MotoWorld:
    """A table in both accounts, and the environment of a container under the runner role."""
    tags = [{"Key": "team", "Value": "ferry"}]
    await moto_world.source_tables.create_table("orders", Tags=tags)
    await moto_world.source_tables.put_items(
        "orders",
        [{"pk": {"S": f"k{n}"}, "note": {"S": REFUSED if n == 7 else ""}} for n in range(ITEMS)],
    )
    await moto_world.target_tables.create_table("orders")
    for name, value in session_of_runner(moto_world).items():
        monkeypatch.setenv(name, value)
    return moto_world


def plan_for(world: MotoWorld, state_dir: Path, **settings: object) -> CopyPlan:
    plan = CopyPlan(
        tables=(TablePlan("orders", "orders"),),
        source=Account(
            region=REGION,
            endpoint_url=world.url,
            role_arn=SOURCE_ROLE_ARN,
            external_id=SOURCE_SECRET,
        ),
        target=Account(
            region=REGION,
            endpoint_url=world.url,
            role_arn=TARGET_ROLE_ARN,
            external_id=TARGET_SECRET,
        ),
        sts_endpoint_url=world.url,
        state_dir=state_dir,
        segments=2,
    )
    return replace(plan, **settings)


async def copy_under_the_roles(plan: CopyPlan) -> Outcome:
    with enforced():
        return await execute(plan)


async def test_a_copy_runs_under_the_deployed_roles(world: MotoWorld, tmp_path: Path) -> None:
    deploy_roles(world)
    outcome = await copy_under_the_roles(plan_for(world, tmp_path))
    assert outcome.error is None
    assert (outcome.summary.status, outcome.summary.tables[0].items_written) == ("complete", ITEMS)
    source = await world.source_tables.read_table("orders")
    assert await world.target_tables.read_table("orders") == source


async def test_without_the_policies_a_copy_is_refused_so_they_are_what_lets_it(
    world: MotoWorld, tmp_path: Path
) -> None:
    deploy_roles(world)
    for action in actions_of(TARGET_ROLE_ARN):
        take_away(TARGET_ROLE_ARN, action)
    outcome = await copy_under_the_roles(plan_for(world, tmp_path))
    assert isinstance(outcome.error, AccessDeniedError)


@pytest.mark.parametrize(
    ("role_arn", "action"),
    [
        (RUNNER_ROLE_ARN, "sts:AssumeRole"),
        (SOURCE_ROLE_ARN, "dynamodb:DescribeTable"),
        (SOURCE_ROLE_ARN, "dynamodb:Scan"),
        (TARGET_ROLE_ARN, "dynamodb:DescribeTable"),
        (TARGET_ROLE_ARN, "dynamodb:Scan"),
        (TARGET_ROLE_ARN, "dynamodb:BatchWriteItem"),
    ],
)
async def test_an_action_that_a_copy_lacks_is_named_with_the_role(
    world: MotoWorld, tmp_path: Path, role_arn: str, action: str
) -> None:
    deploy_roles(world, AllowRepair="false", AllowVerify="false")
    take_away(role_arn, action)
    outcome = await copy_under_the_roles(plan_for(world, tmp_path))
    error = outcome.error
    assert isinstance(error, AccessDeniedError)
    assert action in (error.hint or "")
    assert (role_arn if role_arn != RUNNER_ROLE_ARN else SOURCE_ROLE_ARN) in error.message
    assert outcome.summary.tables[0].items_written == 0
    for secret in (SOURCE_SECRET, TARGET_SECRET):
        assert secret not in f"{error.message} {error.hint}"


@pytest.mark.parametrize(
    ("role_arn", "action"),
    [
        (SOURCE_ROLE_ARN, "dynamodb:DescribeTimeToLive"),
        (SOURCE_ROLE_ARN, "dynamodb:DescribeContinuousBackups"),
        (TARGET_ROLE_ARN, "dynamodb:DescribeTimeToLive"),
        (TARGET_ROLE_ARN, "dynamodb:DescribeContinuousBackups"),
    ],
)
async def test_what_only_makes_notices_better_is_not_needed(
    world: MotoWorld, tmp_path: Path, role_arn: str, action: str
) -> None:
    deploy_roles(world)
    take_away(role_arn, action)
    outcome = await copy_under_the_roles(plan_for(world, tmp_path))
    assert outcome.summary.status == "complete"


@pytest.mark.parametrize("action", ["dynamodb:CreateTable", "dynamodb:TagResource"])
async def test_an_action_that_creating_the_target_lacks_is_named(
    world: MotoWorld, tmp_path: Path, action: str
) -> None:
    await world.target_tables.call("DeleteTable", {"TableName": "orders"})
    deploy_roles(world, AllowCreate="true")
    take_away(TARGET_ROLE_ARN, action)
    outcome = await copy_under_the_roles(plan_for(world, tmp_path, create_target=True))
    assert isinstance(outcome.error, AccessDeniedError)
    assert f"allow {action} " in (outcome.error.hint or "")


async def test_the_target_is_created_with_its_policy_and_not_without(
    world: MotoWorld, tmp_path: Path
) -> None:
    await world.target_tables.call("DeleteTable", {"TableName": "orders"})
    deploy_roles(world, AllowCreate="true")
    outcome = await copy_under_the_roles(plan_for(world, tmp_path, create_target=True))
    assert outcome.error is None
    assert outcome.summary.status == "complete"


async def test_letters_are_replayed_with_the_replay_policy_and_its_action_is_named_without(
    world: MotoWorld, tmp_path: Path
) -> None:
    deploy_roles(world)
    with refusing_marked_items():
        assert (await copy_under_the_roles(plan_for(world, tmp_path))).summary.status == "rejected"
    request = ReplayRequest(
        run="orders", state_dir=tmp_path, target=Account(external_id=TARGET_SECRET)
    )
    documents = policies_of(TARGET_ROLE_ARN)
    take_away(TARGET_ROLE_ARN, "dynamodb:PutItem")
    with enforced():
        denied = await replay(request)
    assert isinstance(denied.error, AccessDeniedError)
    assert "dynamodb:PutItem" in (denied.error.hint or "")
    assert denied.summary.left == 1
    assert "dynamodb:PutItem" in documents["replay"]["Statement"][0]["Action"]


async def test_letters_are_replayed_under_the_deployed_role(
    world: MotoWorld, tmp_path: Path
) -> None:
    deploy_roles(world)
    with refusing_marked_items():
        await copy_under_the_roles(plan_for(world, tmp_path))
    with enforced():
        outcome = await replay(
            ReplayRequest(
                run="orders", state_dir=tmp_path, target=Account(external_id=TARGET_SECRET)
            )
        )
    assert (outcome.error, outcome.summary.run_status) == (None, "complete")


async def test_a_table_that_is_not_named_is_out_of_reach(world: MotoWorld, tmp_path: Path) -> None:
    await world.source_tables.create_table("salaries")
    deploy_roles(world)
    plan = plan_for(world, tmp_path, tables=(TablePlan("salaries", "orders"),))
    outcome = await copy_under_the_roles(plan)
    assert isinstance(outcome.error, AccessDeniedError)
    assert "salaries" in outcome.error.message


# The source cannot be written ------------------------------------------------------------------


async def test_the_source_role_cannot_write(world: MotoWorld) -> None:
    deploy_roles(world)
    before = await world.source_tables.read_table("orders")
    account = plan_for(world, Path()).source
    with enforced():
        async with open_account(account, "source", sts_endpoint_url=world.url) as session:
            assert (await describe_table(session, "orders")).name == "orders"
            for operation, parameters in WRITES.items():
                named: dict[str, object] = {"TableName": "orders"}
                if operation == "BatchWriteItem":
                    named = {}
                with pytest.raises(Exception, match="AccessDeniedException"):
                    await session.client._make_api_call(operation, named | parameters)
    assert await world.source_tables.read_table("orders") == before


def test_the_source_role_holds_reading_actions_of_the_named_tables_only(world: MotoWorld) -> None:
    deploy_roles(world)
    assert actions_of(SOURCE_ROLE_ARN) == MAY_READ
    of_tables = [table_arn(SOURCE_ACCOUNT_ID, t) for t in COPIED]
    of_global_tables = f"arn:aws:dynamodb::{SOURCE_ACCOUNT_ID}:global-table/*"
    for document in policies_of(SOURCE_ROLE_ARN).values():
        for statement in document["Statement"]:
            is_of_table = statement["Action"] != "dynamodb:DescribeGlobalTable"
            assert statement["Resource"] == (of_tables if is_of_table else of_global_tables)


# What can be left out, and who is let in -------------------------------------------------------


def test_what_goes_beyond_a_copy_can_be_left_out(world: MotoWorld) -> None:
    deploy_roles(world, AllowReplay="false", AllowVerify="false")
    assert set(policies_of(TARGET_ROLE_ARN)) == {"copy"}
    assert actions_of(TARGET_ROLE_ARN) == {
        "dynamodb:BatchWriteItem",
        "dynamodb:DescribeContinuousBackups",
        "dynamodb:DescribeGlobalTable",
        "dynamodb:DescribeTable",
        "dynamodb:DescribeTimeToLive",
        "dynamodb:Scan",
    }


@pytest.mark.parametrize(
    ("parameter", "policy", "adds"),
    [
        ("AllowReplay", "replay", {"dynamodb:PutItem"}),
        ("AllowVerify", "verify", {"dynamodb:BatchGetItem", "dynamodb:GetItem"}),
        ("AllowRepair", "repair", {"dynamodb:PutItem", "dynamodb:DeleteItem"}),
        ("AllowCreate", "create-target", {"dynamodb:CreateTable", "dynamodb:TagResource"}),
        ("AllowWarm", "warm-target", {"dynamodb:UpdateTable"}),
    ],
)
def test_each_parameter_adds_one_policy(
    world: MotoWorld, parameter: str, policy: str, adds: set[str]
) -> None:
    all_out = {"AllowReplay": "false", "AllowVerify": "false"}
    deploy_roles(world, None, **(all_out | {parameter: "true"}))
    assert set(policies_of(TARGET_ROLE_ARN)) == {"copy", policy}
    assert adds <= actions_of(TARGET_ROLE_ARN)


def test_creating_and_warming_reach_tables_and_their_indexes(world: MotoWorld) -> None:
    deploy_roles(world, AllowCreate="true", AllowWarm="true")
    tables = [table_arn(TARGET_ACCOUNT_ID, table) for table in COPIED]
    for policy in ("create-target", "warm-target"):
        (statement,) = policies_of(TARGET_ROLE_ARN)[policy]["Statement"]
        assert statement["Resource"] == [*tables, *(f"{arn}/index/*" for arn in tables)]


def test_both_roles_trust_the_runner_alone_and_ask_for_the_external_id(world: MotoWorld) -> None:
    deploy_roles(world)
    for role_arn, external_id in (
        (SOURCE_ROLE_ARN, SOURCE_SECRET),
        (TARGET_ROLE_ARN, TARGET_SECRET),
    ):
        (statement,) = trust_of(role_arn)["Statement"]
        assert statement["Principal"] == {"AWS": RUNNER_ROLE_ARN}
        assert statement["Action"] == "sts:AssumeRole"
        assert statement["Condition"] == {"StringEquals": {"sts:ExternalId": external_id}}


@pytest.mark.parametrize("says", [None, "another"])
async def test_a_wrong_external_id_is_refused_and_explained(
    world: MotoWorld, tmp_path: Path, says: str | None
) -> None:
    deploy_roles(world)
    plan = plan_for(world, tmp_path)
    outcome = await copy_under_the_roles(
        replace(plan, target=replace(plan.target, external_id=says))
    )
    assert isinstance(outcome.error, AccessDeniedError)
    assert f"assuming the target's role {TARGET_ROLE_ARN}" in outcome.error.message
    assert "external id must match" in (outcome.error.hint or "")


# Following -------------------------------------------------------------------------------------

FOLLOW = {"AllowFollow": "true", "AllowVerify": "false"}
ENABLE = FOLLOW | {"AllowEnableStream": "true"}
OF_STREAMS = {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"}


async def with_a_stream(world: MotoWorld) -> None:
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    await world.source_tables.call(
        "UpdateTable", {"TableName": "orders", "StreamSpecification": stream}
    )


async def move_under_the_roles(plan: CopyPlan) -> Outcome:
    """Moves until the target is followed, then stops; or to the error before that."""
    stop = StopSignal()

    def stop_once_it_follows(tables: Sequence[MoveStatus]) -> None:
        if all(table.state == "following" and not table.spool_rows for table in tables):
            stop.ask()

    with enforced(), anyio.fail_after(60):
        return await move(plan, stop=stop, show=stop_once_it_follows)


async def test_a_move_runs_under_the_deployed_roles(world: MotoWorld, tmp_path: Path) -> None:
    await with_a_stream(world)
    deploy_roles(world, FOLLOW, AllowVerify="false", AllowRepair="false")
    outcome = await move_under_the_roles(plan_for(world, tmp_path))
    assert (outcome.error, outcome.summary.status) == (None, "interrupted")
    source = await world.source_tables.read_table("orders")
    assert await world.target_tables.read_table("orders") == source


async def test_without_the_policy_of_following_a_move_is_refused_with_all_that_is_missing(
    world: MotoWorld, tmp_path: Path
) -> None:
    await with_a_stream(world)
    deploy_roles(world, {"AllowVerify": "false"})
    outcome = await move_under_the_roles(plan_for(world, tmp_path))
    assert isinstance(outcome.error, AccessDeniedError)
    assert outcome.summary.status == "refused"
    for action in ("dynamodb:DescribeStream", "dynamodb:BatchGetItem"):
        assert f"allow {action} " in (outcome.error.hint or "")


@pytest.mark.parametrize(
    ("role_arn", "action"),
    [
        *((SOURCE_ROLE_ARN, action) for action in sorted(OF_STREAMS)),
        (SOURCE_ROLE_ARN, "dynamodb:BatchGetItem"),
        (SOURCE_ROLE_ARN, "dynamodb:DescribeTable"),
        (SOURCE_ROLE_ARN, "dynamodb:Scan"),
        (TARGET_ROLE_ARN, "dynamodb:BatchWriteItem"),
    ],
)
async def test_an_action_that_a_move_lacks_is_named_with_the_role(
    world: MotoWorld, tmp_path: Path, role_arn: str, action: str
) -> None:
    await with_a_stream(world)
    deploy_roles(world, FOLLOW, AllowVerify="false", AllowRepair="false")
    take_away(role_arn, action)
    outcome = await move_under_the_roles(plan_for(world, tmp_path))
    error = outcome.error
    assert isinstance(error, AccessDeniedError)
    assert f"allow {action} " in (error.hint or "")
    assert role_arn in error.message
    assert await world.target_tables.read_table("orders") == {}


async def test_a_stream_is_enabled_with_its_policy_and_that_is_remembered(
    world: MotoWorld, tmp_path: Path
) -> None:
    deploy_roles(world, ENABLE)
    outcome = await move_under_the_roles(plan_for(world, tmp_path, enable_stream=True))
    assert outcome.error is None
    (enabled,) = await to_thread.run_sync(enabled_streams, tmp_path, "orders")
    assert enabled.table == table_arn(SOURCE_ACCOUNT_ID, "orders")
    assert enabled.stream is not None
    assert enabled.stream.startswith(f"{enabled.table}/stream/")


async def test_without_its_policy_no_stream_is_enabled_and_the_call_is_named_for_whoever_may(
    world: MotoWorld, tmp_path: Path
) -> None:
    deploy_roles(world, ENABLE)
    take_away(SOURCE_ROLE_ARN, "dynamodb:UpdateTable")
    outcome = await move_under_the_roles(plan_for(world, tmp_path, enable_stream=True))
    assert isinstance(outcome.error, AccessDeniedError)
    hint = outcome.error.hint or ""
    assert "allow dynamodb:UpdateTable " in hint
    assert "aws dynamodb update-table --region us-east-1 --table-name" in hint


def test_following_and_enabling_are_policies_of_their_own_and_off_unless_asked_for(
    world: MotoWorld,
) -> None:
    deploy_roles(world, {"AllowVerify": "false"})
    assert set(policies_of(SOURCE_ROLE_ARN)) == {"copy"}


def test_enabling_a_stream_adds_one_action_on_the_named_tables(world: MotoWorld) -> None:
    deploy_roles(world, {"AllowEnableStream": "true"})
    (statement,) = policies_of(SOURCE_ROLE_ARN)["enable-stream"]["Statement"]
    assert statement["Action"] == "dynamodb:UpdateTable"
    assert statement["Resource"] == [table_arn(SOURCE_ACCOUNT_ID, table) for table in COPIED]
    assert actions_of(SOURCE_ROLE_ARN) == {*MAY_READ, "dynamodb:UpdateTable"}


def test_naming_other_readers_adds_one_action_of_another_service(world: MotoWorld) -> None:
    deploy_roles(world, {"AllowNameReaders": "true"})
    (statement,) = policies_of(SOURCE_ROLE_ARN)["name-readers"]["Statement"]
    assert (statement["Action"], statement["Resource"]) == ("lambda:ListEventSourceMappings", "*")
    assert actions_of(SOURCE_ROLE_ARN) == {*MAY_READ, "lambda:ListEventSourceMappings"}


def test_patterns_add_one_action_that_shows_names_and_nothing_else(world: MotoWorld) -> None:
    deploy_roles(world, {"AllowListTables": "true"})
    (statement,) = policies_of(SOURCE_ROLE_ARN)["list-tables"]["Statement"]
    assert (statement["Action"], statement["Resource"]) == ("dynamodb:ListTables", "*")
    assert actions_of(SOURCE_ROLE_ARN) == {*MAY_READ, "dynamodb:ListTables"}


async def test_a_pattern_is_refused_where_tables_may_not_be_listed(
    world: MotoWorld, tmp_path: Path
) -> None:
    deploy_roles(world)
    outcome = await copy_under_the_roles(plan_for(world, tmp_path, tables=(TablePlan("order*"),)))
    assert isinstance(outcome.error, AccessDeniedError)
    hint = outcome.error.hint or ""
    assert "dynamodb:ListTables" in hint
    assert "only a pattern needs it" in hint


async def test_a_pattern_needs_nothing_but_the_right_to_list_tables(
    world: MotoWorld, tmp_path: Path
) -> None:
    deploy_roles(world, {"AllowListTables": "true"})
    outcome = await copy_under_the_roles(plan_for(world, tmp_path, tables=(TablePlan("order*"),)))
    assert outcome.error is None
    assert [table.items_read for table in outcome.summary.tables] == [ITEMS]


def test_following_reads_the_streams_of_the_tables_and_their_items_and_nothing_else(
    world: MotoWorld,
) -> None:
    tables = [table_arn(SOURCE_ACCOUNT_ID, table) for table in COPIED]
    deploy_roles(world, FOLLOW)
    streams, items = policies_of(SOURCE_ROLE_ARN)["follow"]["Statement"]
    assert streams["Resource"] == [f"{arn}/stream/*" for arn in tables]
    assert set(streams["Action"]) == OF_STREAMS
    assert items["Resource"] == tables
    assert items["Action"] == "dynamodb:BatchGetItem"


# The way back ----------------------------------------------------------------------------------

WAY_BACK_ROLE_ARN = f"arn:aws:iam::{SOURCE_ACCOUNT_ID}:role/dynaferry-way-back"
BACK = {"AllowVerify": "false", "AllowRepair": "false", "AllowWayBack": "true"}


def deploy_way_back(world: MotoWorld) -> None:
    role = deploy(
        world,
        "source",
        "way-back",
        RunnerArn=RUNNER_ROLE_ARN,
        ExternalId=SOURCE_SECRET,
        TableArns=",".join(table_arn(SOURCE_ACCOUNT_ID, table) for table in COPIED),
    )
    assert role == WAY_BACK_ROLE_ARN


def test_the_way_back_role_writes_items_of_the_named_tables_and_does_nothing_else(
    world: MotoWorld,
) -> None:
    deploy_roles(world)
    deploy_way_back(world)
    assert actions_of(WAY_BACK_ROLE_ARN) == {"dynamodb:BatchWriteItem", "dynamodb:DescribeTable"}
    (statement,) = policies_of(WAY_BACK_ROLE_ARN)["way-back"]["Statement"]
    assert statement["Resource"] == [table_arn(SOURCE_ACCOUNT_ID, table) for table in COPIED]


@pytest.mark.parametrize(("back", "reads"), [({}, False), (BACK, True)])
def test_the_targets_streams_are_read_only_where_that_is_asked_for(
    world: MotoWorld, back: dict[str, str], reads: bool
) -> None:
    deploy_roles(world, FOLLOW, **back)
    found = actions_of(TARGET_ROLE_ARN)
    assert OF_STREAMS & found == (OF_STREAMS if reads else set())
    assert "dynamodb:UpdateTable" not in found


@pytest.mark.parametrize("action", [*sorted(OF_STREAMS), "dynamodb:BatchGetItem", "UpdateTable"])
async def test_what_the_way_back_lacks_is_named_before_anything_is_copied(
    world: MotoWorld, tmp_path: Path, action: str
) -> None:
    await with_a_stream(world)
    enables = "false" if action == "UpdateTable" else "true"
    deploy_roles(world, FOLLOW, **BACK, AllowEnableStream=enables)
    action = "dynamodb:UpdateTable" if action == "UpdateTable" else action
    if enables == "true":
        take_away(TARGET_ROLE_ARN, action)
    outcome = await move_under_the_roles(plan_for(world, tmp_path, way_back="keep"))
    assert isinstance(outcome.error, AccessDeniedError)
    assert f"allow {action} " in (outcome.error.hint or "")
    assert "--way-back none" in (outcome.error.hint or "")
    assert await world.target_tables.read_table("orders") == {}


async def test_a_move_with_a_way_back_runs_under_the_deployed_roles(
    world: MotoWorld, tmp_path: Path
) -> None:
    await with_a_stream(world)
    deploy_roles(world, FOLLOW, **BACK, AllowEnableStream="true")
    outcome = await move_under_the_roles(plan_for(world, tmp_path, way_back="keep"))
    assert (outcome.error, outcome.summary.status) == (None, "interrupted")


async def test_a_table_that_loses_its_rights_in_mid_run_ends_alone_and_is_copied_once_it_has_them(
    world: MotoWorld, tmp_path: Path
) -> None:
    last = COPIED[-1]
    for name in COPIED[1:]:
        await world.source_tables.create_table(name)
        items = [{"pk": {"S": f"k{n}"}} for n in range(200 if name == last else 3)]
        await world.source_tables.put_items(name, items)
        await world.target_tables.create_table(name)
    deploy_roles(world)
    tables = tuple(TablePlan(name, name) for name in COPIED)
    plan = plan_for(
        world, tmp_path, tables=tables, run="all", tables_at_once=8, readers=1, writers=1
    )
    gives_back: list[Callable[[], None]] = []

    async def take(stats: RunStats) -> None:
        while stats.tables[-1].items_written == 0:  # plain counters tell nobody
            await anyio.lowlevel.checkpoint()
        gives_back.append(take_table_away(TARGET_ROLE_ARN, table_arn(TARGET_ACCOUNT_ID, last)))

    with enforced():
        outcome = await execute(plan, watch=take)
    *others, denied = outcome.summary.tables
    assert {table.status for table in others} == {"complete"}
    assert (denied.source, denied.status, outcome.summary.status) == (last, "failed", "failed")
    assert isinstance(outcome.error, AccessDeniedError)
    assert denied.error is not None
    assert "dynamodb:BatchWriteItem" in (denied.error.hint or "")
    assert TARGET_ROLE_ARN in denied.error.message

    gives_back[0]()
    begun: list[str] = []

    async def copy_one(task: TableTask) -> None:
        begun.append(task.stats.source)
        await copy_one_table(task)

    with enforced():
        again = await execute(plan, copy_one=copy_one)
    assert (again.error, again.summary.status, begun) == (None, "complete", [last])
    source = await world.source_tables.read_table(last)
    assert await world.target_tables.read_table(last) == source
