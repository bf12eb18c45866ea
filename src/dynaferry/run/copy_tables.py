"""The whole story: plan, preflight, new or resumed state, copy, summary."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial

import anyio

from dynaferry.control.effective import effective_controls, in_words
from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.observe.stats import RunStats
from dynaferry.plan.resume_command import Invocation
from dynaferry.plan.settings import CopyPlan
from dynaferry.plan.validation import validate
from dynaferry.preflight.inspection import TablePreflight, preflight
from dynaferry.run.attempt import CopyAttempt
from dynaferry.run.completed import check_still_there, completed_at, is_complete
from dynaferry.run.lifecycle import (
    Say,
    Watch,
    attempted,
    before_it_begins,
    closing,
    say_nothing,
)
from dynaferry.run.matching import with_tables
from dynaferry.run.outcome import Outcome, without_summary
from dynaferry.run.refused import inspected
from dynaferry.run.resume import (
    check_state_can_be_kept,
    open_state,
    stored_run,
)
from dynaferry.run.sides import Sides, open_sides
from dynaferry.run.table_copy import CopyOneTable, copy_one_table
from dynaferry.run.tables import RunTables, lines_on, tables_of
from dynaferry.state.records import (
    Controls,
    RunRecord,
)
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.stop import StopSignal

__all__ = ["Outcome", "dry_run", "execute"]


async def execute(
    plan: CopyPlan,
    *,
    stop: StopSignal | None = None,
    watch: Watch[RunStats] | None = None,
    say: Say | None = None,
    copy_one: CopyOneTable = copy_one_table,
    move: str | None = None,
    invocation: Invocation | None = None,
) -> Outcome:
    """Does what `library.copy_table` does, and tells errors in the outcome.

    `watch` runs beside the copy and is cancelled when it ends; `say` is given what people should
    know, line by line; `copy_one` is how one table is copied; a new run is part of this `move`;
    `invocation` is how it was begun, None where not from a command line. A stop that is asked for
    before the copy has begun cancels at once.
    """
    stop = stop or StopSignal()
    begun, resumes = anyio.Event(), anyio.Event()
    copying = partial(_prepare_and_copy, plan, stop, watch, say or say_nothing, copy_one, move)
    outcome, error = await attempted(
        partial(copying, invocation, begun, resumes),
        cancel_when=before_it_begins(stop, begun.is_set),
    )
    return outcome or without_summary(plan, error, begun=begun.is_set(), resumes=resumes.is_set())


async def _prepare_and_copy(
    plan: CopyPlan,
    stop: StopSignal,
    watch: Watch[RunStats] | None,
    say: Say,
    copy_one: CopyOneTable,
    move: str | None,
    invocation: Invocation | None,
    begun: anyio.Event,
    resumes: anyio.Event,
) -> Outcome:
    plan = await with_tables(validate(plan), say)
    async with open_sides(plan, say) as sides:
        stored = await stored_run(plan)
        if stored is None:
            await check_state_can_be_kept(plan)
        elif not plan.restart:
            resumes.set()
        look = partial(_run_preflight, sides=sides, stored=stored, say=say)
        tables, checked, identity, refused = await inspected(plan, stored, look, move)
        async with open_state(tables, identity, stored, say) as store:
            if stored is not None and not plan.restart and is_complete(stored):
                await check_still_there(stored, store, tables, checked, sides.target, say)
            for line in lines_on(tables, stored):
                say(line)
            begun.set()
            attempt = CopyAttempt(
                tables, identity, sides, checked, store, stop, watch, say, copy_one, invocation
            )
            return await attempt.make(refused)


async def dry_run(plan: CopyPlan, *, say: Say | None = None) -> tuple[TablePreflight, ...]:
    """Looks at everything that `execute` would look at, and writes nothing.

    :raises DynaferryError: what `execute` would refuse or fail with
    """
    plan = await with_tables(validate(plan), say or say_nothing)
    async with open_sides(plan, say) as sides:
        return await looked_at(plan, sides, say or say_nothing)


async def looked_at(
    plan: CopyPlan,
    sides: Sides,
    say: Say,
    described: Mapping[str, TableDescription] | None = None,
) -> tuple[TablePreflight, ...]:
    """What a dry run of a valid plan finds, with both accounts open already. Sources that were
    found fit just now are not described again.

    :raises DynaferryError: as `dry_run`
    """
    stored = await stored_run(plan)
    tables = tables_of(plan, stored)
    for line in lines_on(tables, stored):
        say(line)
    if stored is not None:
        say(_standing(stored, restarts=plan.restart))
    if plan.limits.schedule:
        caps = in_words(effective_controls(plan, Controls(), datetime.now(UTC)))
        say(f"at this hour: {caps or 'no caps'}; the estimate leaves the schedule out")
    checked = await _run_preflight(
        tables, sides=sides, stored=stored, dry_run=True, described=described, say=say
    )
    if stored is not None and not plan.restart and is_complete(stored):
        store = await SqliteStore.open_for_reading(plan.state_dir, plan.run_name)
        async with closing(store):
            await check_still_there(stored, store, tables, checked, sides.target, say)
    return checked


async def _run_preflight(
    tables: RunTables,
    *,
    sides: Sides,
    stored: RunRecord | None,
    dry_run: bool,
    described: Mapping[str, TableDescription] | None = None,
    say: Say | None = None,
) -> tuple[TablePreflight, ...]:
    resuming = stored is not None and not tables.plan.restart
    # What such a target holds this very run has written: for a restart no reason to refuse. One
    # that joins a run may not take what another table of the run has filled.
    known = () if stored is None else stored.identity.tables
    written_before = [
        table for number, table in enumerate(known) if not resuming or number in tables.restarted
    ]
    return await preflight(
        tables.plan,
        *sides,
        resuming=resuming,
        begin_anew=tables.begin_anew,
        is_of_several=len(tables.of_run.tables) > 1,
        dry_run=dry_run,
        described=described,
        written_before={table.target_table_id for table in written_before},
        say=say or say_nothing,
    )


def _standing(stored: RunRecord, *, restarts: bool) -> str:
    if restarts:
        return f"the run {stored.run} was started and would be started over"
    if is_complete(stored):
        return f"the run {stored.run} is complete already; it was completed {completed_at(stored)}"
    return f"the run {stored.run} was started and would be resumed"
