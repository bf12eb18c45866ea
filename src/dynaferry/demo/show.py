"""The demo: two accounts, a copy that is killed and resumed, a move of a table that is written
meanwhile, a switch and its way back, a check of every item.
"""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import anyio

from dynaferry.demo import accounts
from dynaferry.demo.check import Comparison, compare, read_table
from dynaferry.demo.items import Item, make_items
from dynaferry.demo.killed_copy import copy_with_a_kill
from dynaferry.demo.server_process import start_server
from dynaferry.demo.there_and_back import switch_and_go_back
from dynaferry.demo.writer import SourceWriter, WriteCounts
from dynaferry.dynamodb.account.session import open_account
from dynaferry.follow.move_tables import execute
from dynaferry.observe.move_status import MoveState, MoveStatus
from dynaferry.observe.move_words import line_of
from dynaferry.observe.stats import RunStats
from dynaferry.plan.settings import CopyPlan
from dynaferry.run.outcome import Outcome
from dynaferry.stop import StopSignal

Say = Callable[[str], None]
Watch = Callable[[RunStats], Awaitable[None]]
UntilStopped = Callable[[Callable[[StopSignal], Awaitable[Outcome]]], Awaitable[Outcome]]

# How long the table is written and followed once the copy has caught up.
FOLLOWED_SECONDS: Final = 3.0
_LINE_SECONDS: Final = 2.0

REAL_ACCOUNTS = f"""\
The same between two real accounts:
  dynaferry move SOURCE TARGET \\
      --source-region us-east-1 --target-region eu-west-1 \\
      --target-role-arn {accounts.ROLE_ARN} \\
      --create-target --dry-run
with your table names, your role, and DYNAFERRY_TARGET_EXTERNAL_ID set if the role asks for an
external id. Leave out --dry-run when you like what it says; dynaferry copy does the same for a
table that nobody writes."""


async def show(
    count: int,
    directory: Path,
    *,
    say: Say,
    watch: Watch | None,
    until_stopped: UntilStopped,
) -> tuple[Outcome, bool | None]:
    """Runs the demo, a line for each step; returns how the move ended, and whether both tables hold
    what they should, None where it was stopped before anybody looked.

    `directory` takes the state and the server's log. To be run inside `only_this_machine`.

    :raises DynaferryError: a step failed before or after the move
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
        say("3. dynaferry copy, killed on the way and resumed; its page shows it meanwhile")
        await copy_with_a_kill(count, plan, directory, say)
        say("   the pace is moto's, one thread of Python; what dynaferry takes: docs/measured.md")
        say("4. dynaferry move enables a stream, copies, follows; the application still writes")
        async with open_account(plan.source, "source") as source:
            writer = SourceWriter(source.client, make_items(count))
            moved = _Moved(plan, writer, say, watch)
            outcome = await until_stopped(moved.make)
        if not moved.is_done:
            return outcome, None
        say("7. both tables, read back with plain Scans and compared with what was written")
        return outcome, await _check(writer.items, plan, say)


class _Moved:
    """The move beside its writer, until the target has every write."""

    def __init__(self, plan: CopyPlan, writer: SourceWriter, say: Say, watch: Watch | None) -> None:
        self._plan = plan
        self._writer = writer
        self._say = say
        self._watch = watch
        self._seen: MoveStatus | None = None
        self._noted = anyio.Event()
        self._state: MoveState = "copying"
        self.is_done = False

    async def make(self, stop: StopSignal) -> Outcome:
        """Returns how the move ended, which the demo stops itself where nobody else does."""
        async with anyio.create_task_group() as beside:
            beside.start_soon(self._write_and_stop, stop)
            outcome = await execute(self._plan, stop=stop, watch=self._watch, show=self._note)
            beside.cancel_scope.cancel()
        return outcome

    def _note(self, tables: Sequence[MoveStatus]) -> None:
        (self._seen,) = tables
        self._noted.set()
        self._noted = anyio.Event()
        if self._seen.state != self._state:
            self._state = self._seen.state
            # While it copies, the copy's own lines say how far it is.
            if self._state not in ("capturing", "copying"):
                self._say_how_it_stands()

    async def _write_and_stop(self, stop: StopSignal) -> None:
        await self._until(lambda seen: seen.shards_open > 0)  # it is captured from now on
        async with anyio.create_task_group() as beside:
            beside.start_soon(self._writer.run)
            await self._until(lambda seen: seen.state == "following")
            with anyio.move_on_after(FOLLOWED_SECONDS):
                while True:
                    await anyio.sleep(_LINE_SECONDS)
                    self._say_how_it_stands()
            self._writer.stop()
        written = self._writer.written
        self._say(f"   the application stops after {_in_words(written)}")
        await self._until(
            lambda seen: seen.changes_captured >= written.total and not seen.spool_rows
        )
        self._say_how_it_stands()
        await self._until(lambda seen: seen.ready)
        await switch_and_go_back(self._plan, self._writer, stop, self._say)
        await self._until(lambda seen: seen.state == "returned")
        self.is_done = True
        stop.ask()

    def _say_how_it_stands(self) -> None:
        if self._seen is not None:
            self._say(f"   {line_of(self._seen)}")

    async def _until(self, holds: Callable[[MoveStatus], bool]) -> None:
        while self._seen is None or not holds(self._seen):
            await self._noted.wait()


def _in_words(written: WriteCounts) -> str:
    return (
        f"{written.total:,} writes: {written.put:,} new items, {written.changed:,} changes, "
        f"{written.deleted:,} deletions"
    )


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


async def _check(written: Sequence[Item], plan: CopyPlan, say: Say) -> bool:
    async with open_account(plan.source, "source") as source:
        in_source = compare(written, await read_table(source.client))
    async with open_account(
        plan.target, "target", sts_endpoint_url=plan.sts_endpoint_url
    ) as target:
        in_target = compare(written, await read_table(target.client))
    say(f"   source  {_verdict(in_source)}")
    say(f"   target  {_verdict(in_target)}")
    return in_source.equal and in_target.equal


def _verdict(comparison: Comparison) -> str:
    if comparison.equal:
        return f"{comparison.items:,} items, all as they were written"
    return (
        f"{comparison.items:,} items, of which {comparison.missing:,} missing, "
        f"{comparison.unexpected:,} unexpected, {comparison.different:,} different: "
        f"{', '.join(comparison.examples)}"
    )
