"""Both sides' sessions: who calls, with which credentials, to which endpoint.

Everything is resolved as botocore resolves it (profile, environment, SSO cache, container,
instance), and a role, where one is named, is assumed on top. Role sessions last 3,600 s and are
renewed by botocore ahead of their end, so that a run may last for days; see `limits` on why not
shorter. When the service says earlier that credentials have expired, they are resolved anew.
"""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from aiobotocore.credentials import (
    AioAssumeRoleCredentialFetcher,
    AioCredentials,
    AioDeferredRefreshableCredentials,
)
from botocore.exceptions import BotoCoreError
from msgspec.structs import replace
from yarl import URL

from dynaferry.dynamodb.call_site import CallSite
from dynaferry.dynamodb.callers import load_callers
from dynaferry.dynamodb.characters import check_region
from dynaferry.dynamodb.credential_faults import CREDENTIAL_ERRORS, ended_already, origin_of
from dynaferry.dynamodb.faults import CALL_ERRORS, from_client_error
from dynaferry.dynamodb.mfa import CodeWantedError, Prompter, ask
from dynaferry.dynamodb.proxies import passwords
from dynaferry.dynamodb.secrets import Secrets
from dynaferry.dynamodb.service_clock import ServiceClock
from dynaferry.dynamodb.settings import (
    ClientConfig,
    Models,
    Side,
    is_aws,
    new_session,
    region_of,
    trusted_certificates,
)
from dynaferry.errors import AccessDeniedError, DynaferryError, PlanError, UnavailableError
from dynaferry.limits import ROLE_SESSION_SECONDS
from dynaferry.plan import Account

__all__ = [
    "AccountSession",
    "CredentialSource",
    "Credentials",
    "Models",
    "Side",
    "open_account",
]

ROLE_SESSION_NAME = "dynaferry"  # what the other account's CloudTrail shows

# botocore renews credentials whenever it is asked, from 15 minutes ahead of their end on: so it is
# not asked with every request.
LOOK_AGAIN_SECONDS = 60.0
LEAST_LOOK_SECONDS = 1.0  # of those that end sooner
# Who gives credentials and has just failed is not asked again at once by everybody who waits.
FAILED_SECONDS = 5.0
# How long a request waits for a renewal of what has ended, before the retry layer hears of it.
WAIT_SECONDS = 20.0

_log = logging.getLogger(__name__)


# The data path has its own retry layer; this one is for the few control-plane calls.
_CONTROL_PLANE = ClientConfig(
    connect_timeout=5,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 4},
)


class Credentials(NamedTuple):
    """Credentials as they are at one moment."""

    access_key: str
    secret_key: str
    token: str | None

    def __repr__(self) -> str:
        """Never the credentials themselves (invariant 8)."""
        return "Credentials(…)"


class CredentialSource:
    """The current credentials of one side, and the way to new ones.

    Requests are signed with what is known for as long as it is good; renewing it goes on beside
    them, once a minute at most, and a renewal that fails meanwhile is a warning. Only where nothing
    is good, or the service refused what is known, does anybody wait.
    """

    def __init__(
        self,
        resolve: Callable[[], Awaitable[Any]],
        to_error: Callable[[Exception], DynaferryError],
        secrets: Secrets | None = None,
        *,
        whose: str = "a side",
        clock: Callable[[], float] = time.monotonic,
        service_clock: ServiceClock | None = None,
    ) -> None:
        self._resolve = resolve
        self._to_error = to_error
        self.secrets = secrets or Secrets()
        self._whose = whose
        self._clock = clock
        self._service_clock = service_clock or ServiceClock()
        self._frozen: Any = None
        self._current = Credentials("", "", None)
        self._look_at = -math.inf
        self._good_until = -math.inf
        self._looking: asyncio.Task[None] | None = None
        self._refused: Credentials | None = None
        self._failure: tuple[float, DynaferryError] | None = None
        self.botocore_credentials: Any = None

    async def current(self) -> Credentials:
        """Credentials that are good now; renewed before they end.

        :raises AccessDeniedError: there are none, or the role may not be assumed
        :raises UnavailableError: STS did not answer
        :raises CorruptAnswerError: something else than STS answered
        """
        now = self._clock()
        if now < self._look_at:
            return self._current
        if now < self._good_until:
            self._look_at = self._next_look(now)
            self._look()
            return self._current
        await self._look_and_wait(now)
        return self._current

    async def frozen(self) -> Any:
        """The same, in the form of botocore."""
        await self.current()
        return self._frozen

    def seconds_left(self, now: datetime) -> float | None:
        """How long the credentials of this moment last; None where they have no end.

        Those that can be are renewed 15 to 10 minutes ahead, so less than that tells of trouble.
        Asking renews nothing.
        """
        # botocore has no public word for it.
        end: datetime | None = getattr(self.botocore_credentials, "_expiry_time", None)
        return None if end is None else (end - now).total_seconds()

    async def renew(self, refused: Credentials) -> None:
        """Resolves anew, unless another request has already done so since `refused`."""
        if await self.current() == refused:
            await self._look_and_wait(self._clock(), refused)

    def forget(self) -> None:
        """Begins anew: nothing is found yet, and nothing has failed."""
        self.botocore_credentials = self._failure = None

    async def aclose(self) -> None:
        """Ends a renewal that is under way."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])

    # Looking for new ones -----------------------------------------------------------------------

    async def _look_and_wait(self, now: float, refused: Credentials | None = None) -> None:
        if self._failure is not None and now < self._failure[0]:
            raise self._failure[1].with_traceback(None)
        look = self._look(refused)
        # It goes on for the others where one of those who wait for it is cancelled.
        if self._frozen is None:
            await asyncio.shield(look)
            return
        await asyncio.wait([look], timeout=WAIT_SECONDS)
        if not look.done():
            error = UnavailableError(f"{self._whose}'s credentials were not renewed in time")
            error.took_seconds = WAIT_SECONDS
            raise error
        look.result()

    def _look(self, refused: Credentials | None = None) -> "asyncio.Task[None]":
        """One look at a time, for everybody; another one only for what was refused meanwhile."""
        before = self._looking
        if before is None or (refused is not None and self._refused != refused):
            self._refused = refused
            self._looking = asyncio.create_task(self._look_once(before, refused))
            self._looking.add_done_callback(self._looked)
            return self._looking
        return before

    async def _look_once(
        self, before: "asyncio.Task[None] | None", refused: Credentials | None
    ) -> None:
        if before is not None:
            await asyncio.wait([before])
            if self._current != refused:
                return
        try:
            if refused is not None or self.botocore_credentials is None:
                self.botocore_credentials = await self._resolve()
                self._service_clock.measure(self.botocore_credentials)
            frozen = await self.botocore_credentials.get_frozen_credentials()
        except CREDENTIAL_ERRORS as error:
            raise self._to_error(error) from error
        self._take(frozen, self._clock(), self.seconds_left(self._service_clock.now()))

    def _take(self, frozen: Any, now: float, left_seconds: float | None) -> None:
        self._failure = None
        self._frozen = frozen
        self._current = Credentials(frozen.access_key, frozen.secret_key, frozen.token)
        self.secrets.note(self._current)
        self._good_until = now + (math.inf if left_seconds is None else left_seconds)
        self._look_at = self._next_look(now)

    def _next_look(self, now: float) -> float:
        """In a minute, or in the middle of what is left where that is sooner."""
        soon = max(LEAST_LOOK_SECONDS, (self._good_until - now) / 2)
        return min(self._good_until, now + min(LOOK_AGAIN_SECONDS, soon))

    def _looked(self, look: "asyncio.Task[None]") -> None:
        if look is self._looking:
            self._looking = None
        error = None if look.cancelled() else look.exception()
        if error is None:
            return
        now = self._clock()
        if isinstance(error, DynaferryError):
            self._failure = (now + FAILED_SECONDS, error)
        if now < self._good_until < math.inf:
            minutes = (self._good_until - now) / 60
            _log.warning(
                f"{self._whose}'s credentials could not be renewed; those known are good for "
                f"{minutes:.1f} minutes more: {error}"
            )


class _SharedCredentials(AioCredentials):  # type: ignore[misc]  # botocore comes without types
    """What a botocore client asks for credentials: always those of the source, renewed or not."""

    def __init__(self, source: CredentialSource) -> None:
        super().__init__("asked", "for", "each time", method="dynaferry")
        self._source = source

    async def get_frozen_credentials(self) -> Any:
        return await self._source.frozen()

    async def get_account_id(self) -> str | None:
        account_id: str | None = (await self.get_frozen_credentials()).account_id
        return account_id


@dataclass(slots=True)
class AccountSession:
    """One side, opened: its control-plane client, its credentials and what botocore decided.

    `signing_region` is None where it is the region, as nearly always. `takes_arns` is whether the
    endpoint knows a table by its ARN, as DynamoDB does, None while no stand-in for it was asked.
    `service_clock` is what the control plane signs by.
    """

    side: Side
    region: str
    acting_as: str
    client: Any
    credentials: CredentialSource
    ca_bundle: str | None
    signing_region: str | None = None
    takes_arns: bool | None = None
    service_clock: ServiceClock = field(default_factory=ServiceClock)

    @property
    def base_url(self) -> str | None:
        """The endpoint of the client, which single calls may leave for an account's own."""
        url: str | None = None if self.client is None else self.client.meta.endpoint_url
        return url

    async def endpoint_for(self, table: str) -> str:
        """The URL to which calls for this table name or ARN go. Nothing is sent.

        That is the regional endpoint, the account's own or a configured one, by botocore's rules.

        :raises DynaferryError: by these settings there is none
        """
        operation = "DescribeTable"
        try:
            url, _, _ = await self.client._resolve_endpoint_ruleset(
                self.client.meta.service_model.operation_model(operation),
                {"TableName": table},
                {"client_region": self.region, "client_config": self.client.meta.config},
            )
        except CALL_ERRORS as error:
            raise self.error_for(error, operation=operation, table=table) from error
        return url if urlsplit(url).path else f"{url}/"

    def error_for(self, error: Exception, *, operation: str, table: str) -> DynaferryError:
        """What botocore raised, as an error that names the operation, the table and the role."""
        self.credentials.secrets.hide_in_error(error)
        return from_client_error(
            error, operation=operation, table=table, side=self.side, acting_as=self.acting_as
        )


@asynccontextmanager
async def open_account(
    account: Account,
    side: Side,
    *,
    sts_endpoint_url: str | None = None,
    models: Models | None = None,
) -> AsyncIterator[AccountSession]:
    """Opens one side. Accounts that share `models` open sooner.

    :raises PlanError: the profile or the certificates are not there, or no region is set anywhere
    """
    models = models or Models()
    session = new_session(account, side, models)
    ca_bundle = await asyncio.to_thread(trusted_certificates, session)
    region = await region_of(session, side)
    check_region(region, side)
    acting_as = _acting_as(account)
    secrets = Secrets(account.external_id, lasting=passwords())
    origin = origin_of(session._session, side, _called(account))
    prompter = Prompter()

    def to_error(error: Exception) -> DynaferryError:
        secrets.hide_in_error(error)
        # What is wrong with the caller's own credentials is an error of ours already.
        if isinstance(error, RuntimeError):
            return ended_already(
                CallSite(table=None, side=side, acting_as=acting_as, caller=origin.who)
            )
        return from_client_error(
            error,
            operation="AssumeRole",
            table=None,
            side=side,
            acting_as=acting_as,
            caller=origin.who,
        )

    def fresh_session() -> Any:
        return new_session(replace(account, region=region), side, models)._session

    base = partial(load_callers, fresh_session, secrets, origin, prompter)
    resolve = _resolver(session, region, account, sts_endpoint_url, ca_bundle, base)
    credentials = CredentialSource(
        resolve, to_error, secrets, whose=f"the {side}", service_clock=models.service_clock
    )
    # So that a role that may not be assumed shows here, not later.
    await _first(credentials, prompter)
    # The control-plane client signs with the same: it asks its session for credentials.
    session._session._credentials = _SharedCredentials(credentials)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(credentials.aclose)
        try:
            client = await stack.enter_async_context(
                session.client(
                    "dynamodb",
                    region_name=region,
                    endpoint_url=account.endpoint_url,
                    verify=ca_bundle or True,
                    config=_CONTROL_PLANE,
                )
            )
        except (BotoCoreError, ValueError) as error:
            raise PlanError(f"the {side} cannot be opened: {error}") from error
        yield AccountSession(
            side=side,
            region=client.meta.region_name,
            acting_as=acting_as,
            client=client,
            credentials=credentials,
            ca_bundle=ca_bundle,
            signing_region=client._request_signer.region_name,
            service_clock=models.service_clock,
            takes_arns=True if is_aws(URL(client.meta.endpoint_url)) else None,
        )


async def _first(credentials: CredentialSource, prompter: Prompter) -> None:
    """Finds them, and asks for a code where one is wanted: this once, before anything begins."""
    try:
        await credentials.current()
    except AccessDeniedError as error:
        wanted = error.__cause__
        code = await ask(str(wanted)) if isinstance(wanted, CodeWantedError) else None
        if code is None:
            raise
        prompter.take(code)
        credentials.forget()  # what botocore has found may be asked only once
        await credentials.current()


def _resolver(
    session: Any,
    region: str,
    account: Account,
    sts_endpoint_url: str | None,
    ca_bundle: str | None,
    load_base: Callable[[], Awaitable[Any]],
) -> Callable[[], Awaitable[Any]]:
    """How to get credentials from scratch, for the plain caller or for the role."""
    if account.role_arn is None:
        return load_base
    extra = {"RoleSessionName": ROLE_SESSION_NAME, "DurationSeconds": ROLE_SESSION_SECONDS}
    if account.external_id is not None:
        extra["ExternalId"] = account.external_id

    def create_sts(service: str, **credentials: Any) -> Any:
        return session.client(
            service,
            region_name=region,
            endpoint_url=sts_endpoint_url,
            verify=ca_bundle or True,
            config=_CONTROL_PLANE,
            **credentials,
        )

    async def assume() -> Any:
        fetcher = AioAssumeRoleCredentialFetcher(
            client_creator=create_sts,
            source_credentials=await load_base(),
            role_arn=account.role_arn,
            extra_args=extra,
        )
        return AioDeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")

    return assume


def _acting_as(account: Account) -> str:
    if account.role_arn is not None:
        return f"role {account.role_arn}"
    return _called(account)


def _called(account: Account) -> str:
    """What people call the side's own credentials by."""
    if account.profile is not None:
        return f"profile {account.profile}"
    return "the credentials of the environment"
