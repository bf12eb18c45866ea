"""The request of a replay, the plan made of it, and the check that the target is the run's own."""

from pathlib import Path

from msgspec import Struct

from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.dynamodb.environment.settings import whose_endpoint
from dynaferry.dynamodb.tables.describe import describe_table
from dynaferry.dynamodb.tables.description import TableDescription
from dynaferry.errors import PreflightError, TableNotFoundError
from dynaferry.plan.settings import Account, CopyPlan, IfPresent
from dynaferry.plan.validation import validate
from dynaferry.preflight.checks import check_usable
from dynaferry.state.records import (
    RunRecord,
    TableIdentity,
)


class ReplayRequest(Struct, frozen=True, kw_only=True):
    """The request of a replay: the run, and what its state does not say or should not decide."""

    run: str
    state_dir: Path
    target: Account = Account()
    sts_endpoint_url: str | None = None
    max_write_units: float | None = None
    if_present: IfPresent = "keep"


def plan_of(record: RunRecord, request: ReplayRequest) -> CopyPlan:
    """The run's plan as far as it was recorded, with what is given for the replay on top.

    :raises PlanError: what is given makes no sense
    """
    settings, given = record.settings, request.target
    target = Account(
        region=given.region or settings.target_region,
        profile=given.profile,
        role_arn=given.role_arn or settings.target_role_arn,
        external_id=given.external_id,
        endpoint_url=settings.target_endpoint_url,
    )
    return validate(
        CopyPlan(
            tables=settings.tables,
            target=target,
            run=record.run,
            sts_endpoint_url=request.sts_endpoint_url or settings.sts_endpoint_url,
            writers=settings.writers,
            max_write_units=(
                settings.max_write_units
                if request.max_write_units is None
                else request.max_write_units
            ),
            state_dir=request.state_dir,
            limits=settings.limits,
        )
    )


async def find_target(
    session: AccountSession, target: str, record: RunRecord, table: int
) -> TableDescription:
    """The target that the run wrote to, and no other under its name (invariant 7)."""
    stored = record.identity.tables[table]
    try:
        found = await describe_table(session, stored.target_arn if session.takes_arns else target)
    except TableNotFoundError as error:
        raise PreflightError(
            f"the target table {stored.target_arn} of this run is gone",
            hint="check --target-region and whose credentials are used; a table that was deleted "
            "took what was copied with it",
            table=target,
        ) from error
    check_is_the_same(stored, found, record.run)
    check_usable("target", found)
    return found


def check_is_the_same(stored: TableIdentity, found: TableDescription, run: str) -> None:
    """Refuses another table than the one that the run wrote to. Pure."""
    if stored.target_arn != found.arn:
        raise PreflightError(
            f"the run {run} wrote to {stored.target_arn}, and these credentials see {found.arn}",
            hint="use the region, profile and role that the copy was run with",
            table=found.name,
        )
    if stored.target_table_id is None and found.table_id is None:
        made_anew = _is_another(stored, found)
    else:
        made_anew = stored.target_table_id != found.table_id
    if made_anew:
        raise PreflightError(
            f"the target {found.arn} was dropped and created again since the run {run} wrote to it",
            hint="copy again with --restart: what was copied before is gone",
            table=found.name,
        )


def _is_another(stored: TableIdentity, found: TableDescription) -> bool:
    """Where the service gives no ids: by the time of creation and by the endpoint."""
    if stored.target_created_at is None or found.created_at is None:
        return False
    if stored.target_created_at != found.created_at.timestamp():
        return True
    return whose_endpoint(stored.target_endpoint) != whose_endpoint(found.endpoint)
