"""The demo: two accounts, a copy between them, and a check of every item."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from dynaferry.demo import accounts
from dynaferry.demo.check import Comparison, compare, read_table
from dynaferry.demo.items import make_items
from dynaferry.demo.server_process import start_server
from dynaferry.dynamodb.account.session import open_account
from dynaferry.observe.stats import RunStats
from dynaferry.plan.settings import CopyPlan
from dynaferry.run.copy_tables import Outcome, execute
from dynaferry.stop import StopSignal

Say = Callable[[str], None]
Watch = Callable[[RunStats], Awaitable[None]]
UntilStopped = Callable[[Callable[[StopSignal], Awaitable[Outcome]]], Awaitable[Outcome]]

REAL_ACCOUNTS = f"""\
The same between two real accounts:
  dynaferry copy SOURCE TARGET \\
      --source-region us-east-1 --target-region eu-west-1 \\
      --target-role-arn {accounts.ROLE_ARN} \\
      --create-target --dry-run
with your table names, your role, and DYNAFERRY_TARGET_EXTERNAL_ID set if the role asks for an
external id. Leave out --dry-run when you like what it says."""


async def show(
    count: int,
    directory: Path,
    *,
    say: Say,
    watch: Watch | None,
    until_stopped: UntilStopped,
) -> tuple[Outcome, bool]:
    """Runs the demo, a line for each step; returns how the copy ended and whether all is equal.

    `directory` takes the state and the server's log. To be run inside `only_this_machine`.

    :raises DynaferryError: a step failed before or after the copy
    """
    say("1. two AWS accounts on this machine (moto, on a loopback port)")
    async with start_server(directory) as server:
        plan = accounts.plan_for(server.endpoint_url, directory / "state")
        say(f"   source  {accounts.SOURCE_ACCOUNT}, {accounts.SOURCE_REGION}")
        say(f"   target  {accounts.TARGET_ACCOUNT}, {accounts.TARGET_REGION}")
        say(f"           through {accounts.ROLE_ARN} and an external id")
        say(f"2. a table {accounts.TABLE!r} in the source, with {count:,} items of every type")
        await _create_source(plan)
        await server.fill_source(count)
        say("3. dynaferry creates the target like the source, and copies")
        outcome = await until_stopped(
            lambda stop: execute(plan, stop=stop, watch=watch, say=lambda line: say(f"   {line}"))
        )
        if outcome.summary.status != "complete":
            return outcome, False
        say("4. both tables, read back with plain Scans and compared with what was put in")
        return outcome, await _check(count, plan, say)


async def _create_source(plan: CopyPlan) -> None:
    async with open_account(plan.source, "source") as source:
        await source.client.create_table(
            TableName=accounts.TABLE,
            KeySchema=[
                {"AttributeName": "customer", "KeyType": "HASH"},
                {"AttributeName": "order", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "customer", "AttributeType": "S"},
                {"AttributeName": "order", "AttributeType": "N"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )


async def _check(count: int, plan: CopyPlan, say: Say) -> bool:
    async with open_account(plan.source, "source") as source:
        in_source = compare(make_items(count), await read_table(source.client))
    async with open_account(
        plan.target, "target", sts_endpoint_url=plan.sts_endpoint_url
    ) as target:
        in_target = compare(make_items(count), await read_table(target.client))
    say(f"   source  {_verdict(in_source)}")
    say(f"   target  {_verdict(in_target)}")
    return in_source.equal and in_target.equal


def _verdict(comparison: Comparison) -> str:
    if comparison.equal:
        return f"{comparison.items:,} items, all as they were put in"
    return (
        f"{comparison.items:,} items, of which {comparison.missing:,} missing, "
        f"{comparison.unexpected:,} unexpected, {comparison.different:,} different: "
        f"{', '.join(comparison.examples)}"
    )
