"""The state of a verification, new or resumed.

One that has ended is of its moment: it makes room for the next. One that has not is resumed, if it
is of the same tables, segments and sample; but what was compared by then may have changed since, so
a plan that proves something begins anew unless it asks for what is unfinished.
"""

import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from anyio import to_thread

from dynaferry._version import __version__
from dynaferry.errors import StateError, StateWriteError
from dynaferry.run.lifecycle import Say, closing
from dynaferry.run.resume import table_identity, with_current_endpoints
from dynaferry.state.directory import has_state, verification_name
from dynaferry.state.identity import check_identity
from dynaferry.state.records import (
    RunIdentity,
)
from dynaferry.verify.certificate import iso_time
from dynaferry.verify.preflight import TablePair
from dynaferry.verify.settings import VerifyPlan
from dynaferry.verify.state.records import ENDED, Verification
from dynaferry.verify.state.store import VerificationStore


async def what_to_resume(plan: VerifyPlan, say: Say) -> Verification | None:
    """The verification to resume; None where a new one is to begin. `say` gets a line on that.

    :raises StateError: see `_unfinished`
    """
    for line in await _how_it_begins(plan):
        say(line)
    stored = await _unfinished(plan)
    if plan.resume and stored is None:
        say("there is no unfinished verification to resume: this one starts over")
    return stored


async def _unfinished(plan: VerifyPlan) -> Verification | None:
    """The verification to resume; None where a new one is to begin.

    :raises StateError: there is one, but its file is broken or another process works on it, or no
        new one could be kept
    """
    state_dir, run = plan.copy.state_dir, plan.copy.run_name
    if plan.begins_anew or not await _has_state(state_dir, run):
        await VerificationStore.try_out(state_dir, run)
        return None
    store = await VerificationStore.open(state_dir, run)
    async with closing(store):
        stored = await store.read_run()
    return None if stored.status in ENDED else stored


async def _how_it_begins(plan: VerifyPlan) -> list[str]:
    """What people should know before anything is read: what is dropped, and what reads cost."""
    lines = []
    if (dropped := await _dropped(plan)) is not None:
        lines.append(
            f"starting over: the verification that began at {iso_time(dropped.began_at)} was not "
            "finished and will be dropped (--resume resumes it instead)"
        )
        if dropped.unseen:
            lines.append(
                f"its repair wrote {dropped.unseen:,} items of which it is not known what they "
                "replaced: if others write to the target, check what they wrote"
            )
    if plan.scans_consistently and plan.consistent_read is None and not plan.copy.consistent_read:
        lines.append(
            "both sides are scanned with consistent reads, for twice the read units: what is found "
            "is to be proven (--no-consistent-read halves the units and proves less)"
        )
    return lines


class _Dropped(NamedTuple):
    """What is said of a verification that is dropped."""

    began_at: float
    unseen: int


async def _dropped(plan: VerifyPlan) -> _Dropped | None:
    """The unfinished verification that a plan which begins anew drops; None where there is none.

    A file that cannot be read holds none, and one that another process works on is not dropped.
    """
    state_dir, run = plan.copy.state_dir, plan.copy.run_name
    if not plan.begins_anew or not await _has_state(state_dir, run):
        return None
    try:
        store = await VerificationStore.open(state_dir, run)
        async with closing(store):
            stored = await store.read_run()
            tables = range(len(stored.identity.tables))
            unseen = sum([(await store.read_totals(table)).unseen for table in tables])
    except (StateError, StateWriteError):
        return None
    return None if stored.status in ENDED else _Dropped(stored.created_at, unseen)


@asynccontextmanager
async def open_state(
    plan: VerifyPlan, pairs: Sequence[TablePair], stored: Verification | None
) -> AsyncIterator[VerificationStore]:
    """The open state: the stored one, or new, in the place of one that has ended.

    :raises StateError: the stored one is of other tables, segments or sample; it is left as it is
    """
    state_dir, run = plan.copy.state_dir, plan.copy.run_name
    identity = _identity(plan, pairs, stored)
    if stored is not None:
        _check_number(pairs, stored)
        before = with_current_endpoints(stored.identity, identity)
        check_identity(before, identity, run=verification_name(run))
        _check_sample(plan, stored)
        store = await VerificationStore.open(state_dir, run)
    else:
        if await _has_state(state_dir, run):
            await VerificationStore.discard(state_dir, run)
        store = await VerificationStore.create(state_dir, _new(plan, identity))
    async with closing(store):
        yield store


def _new(plan: VerifyPlan, identity: RunIdentity) -> Verification:
    now = time.time()
    return Verification(
        run=plan.copy.run_name,
        identity=identity,
        sample_percent=plan.sample_percent,
        seed=random.SystemRandom().getrandbits(32),
        version=__version__,
        status="running",
        attempts=0,
        created_at=now,
        started_at=now,
    )


def _identity(
    plan: VerifyPlan, pairs: Sequence[TablePair], stored: Verification | None
) -> RunIdentity:
    began_with = () if stored is None else stored.identity.tables
    tables = []
    for index, pair in enumerate(pairs):
        asked_for = pair.table.segments or plan.copy.segments
        keep = asked_for is None and index < len(began_with)
        segments = began_with[index].total_segments if keep else pair.total_segments
        tables.append(table_identity(pair.source, pair.target, segments))
    return RunIdentity(tables=tuple(tables))


def _check_number(pairs: Sequence[TablePair], stored: Verification) -> None:
    before, now = len(stored.identity.tables), len(pairs)
    if before != now:
        raise StateError(
            f"the unfinished verification {stored.run!r} compares {before} tables, not {now}",
            hint="name the same tables to resume it, or add --restart to start over",
        )


def _check_sample(plan: VerifyPlan, stored: Verification) -> None:
    if plan.sample_percent != stored.sample_percent:
        raise StateError(
            f"the unfinished verification {stored.run!r} compares "
            f"{_share(stored.sample_percent)}, not {_share(plan.sample_percent)}",
            hint="leave --sample as it was to resume, or add --restart to start over",
        )


def _share(sample_percent: float | None) -> str:
    return "all segments" if sample_percent is None else f"{sample_percent:g} % of the segments"


async def _has_state(state_dir: Path, run: str) -> bool:
    return await to_thread.run_sync(has_state, state_dir, verification_name(run))
