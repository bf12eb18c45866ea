"""Both accounts of a run, opened."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

from dynaferry.dynamodb.account.session import AccountSession, ServiceModels, Side, open_account
from dynaferry.errors import RetryableError, ServiceGoneError
from dynaferry.plan.settings import Account, CopyPlan
from dynaferry.plan.validation import external_id_variable, has_unused_external_id
from dynaferry.run.lifecycle import Say
from dynaferry.throttle.retry import Patience, RetryPolicy

# A wrong address is more likely than an outage before anything has worked.
START_SECONDS = 30.0


class Sides(NamedTuple):
    """Both accounts, opened."""

    source: AccountSession
    target: AccountSession


def credentials_left(sides: Sides) -> dict[str, Callable[[], float | None]]:
    """By side, for how many seconds its credentials last when asked; None if they have no end."""
    return {session.side: partial(_seconds_left, session) for session in sides}


def _seconds_left(session: AccountSession) -> float | None:
    return session.credentials.seconds_left(datetime.now(UTC))


@asynccontextmanager
async def open_sides(plan: CopyPlan, say: Say | None = None) -> AsyncIterator[Sides]:
    """Opens both accounts of a valid plan; `say` is told of credentials that nothing renews.

    :raises PlanError: a profile or a region is missing
    :raises AccessDeniedError: there are no credentials, or a role may not be assumed
    """
    models = ServiceModels()
    async with (
        open_side(plan, plan.source, "source", models, say) as source_session,
        open_side(plan, plan.target, "target", models, say) as target_session,
    ):
        for session in (source_session, target_session):
            if session.end_in_words is not None and say is not None:
                say(session.end_in_words)
        yield Sides(source_session, target_session)


@asynccontextmanager
async def open_side(
    plan: CopyPlan,
    account: Account,
    side: Side,
    models: ServiceModels | None = None,
    say: Say | None = None,
) -> AsyncIterator[AccountSession]:
    """Opens one account; whoever gives credentials may be away for a moment, which `say` is told.

    :raises PlanError: a profile or a region is missing
    :raises AccessDeniedError: there are no credentials, or a role may not be assumed
    :raises RetryableError: whoever gives them was away for longer
    """
    if say is not None and has_unused_external_id(account):
        say(f"{external_id_variable(side)} is not used: no role is assumed for the {side}")
    patience = Patience(min(plan.patience_seconds, START_SECONDS))
    is_reported = say is None
    async with AsyncExitStack() as stack:

        async def attempt() -> AccountSession:
            nonlocal is_reported
            try:
                return await stack.enter_async_context(
                    open_account(
                        account, side, sts_endpoint_url=plan.sts_endpoint_url, models=models
                    )
                )
            except RetryableError as error:
                if say is not None and not is_reported:
                    say(f"tried again for up to {patience.seconds:,.0f} s: {error}")
                    is_reported = True
                raise

        try:
            session = await RetryPolicy(side, patience).call(attempt)
        except ServiceGoneError as gone:  # what it was is more to the point
            raise gone.__cause__ or gone from None
        yield session
