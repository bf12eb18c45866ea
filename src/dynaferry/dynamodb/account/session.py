"""Both sides' sessions: who calls, with which credentials, to which endpoint.

Everything is resolved as botocore resolves it (profile, environment, SSO cache, container,
instance), and a role, where one is named, is assumed on top. Role sessions last 3,600 s and are
renewed by botocore ahead of their end, so that a run may last for days; see `limits` on why not
shorter. When the service says earlier that credentials have expired, they are resolved anew.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from aiobotocore.credentials import (
    AioAssumeRoleCredentialFetcher,
    AioDeferredRefreshableCredentials,
)
from botocore.exceptions import BotoCoreError
from msgspec.structs import replace
from yarl import URL

from dynaferry.dynamodb.account.callers import CallersCredentials, load_callers
from dynaferry.dynamodb.account.credential_errors import Origin, ended_already, origin_of
from dynaferry.dynamodb.account.credentials import Credentials, CredentialSource, SharedCredentials
from dynaferry.dynamodb.account.functions import OpenFunctions, functions_of
from dynaferry.dynamodb.account.mfa import CodeWantedError, Prompter, ask
from dynaferry.dynamodb.account.redaction import Redactor
from dynaferry.dynamodb.environment.characters import check_region
from dynaferry.dynamodb.environment.proxies import passwords
from dynaferry.dynamodb.environment.service_clock import ServiceClock
from dynaferry.dynamodb.environment.settings import (
    ClientConfig,
    ServiceModels,
    Side,
    is_aws,
    new_session,
    region_of,
    streams_url_of,
    trusted_certificates,
)
from dynaferry.dynamodb.failures.call_site import CallSite
from dynaferry.dynamodb.failures.service_errors import CALL_ERRORS, from_client_error
from dynaferry.errors import AccessDeniedError, DynaferryError, PlanError
from dynaferry.limits import ROLE_SESSION_SECONDS
from dynaferry.plan.settings import Account

__all__ = [
    "AccountSession",
    "CredentialSource",
    "Credentials",
    "ServiceModels",
    "Side",
    "open_account",
]

ROLE_SESSION_NAME = "dynaferry"  # what the other account's CloudTrail shows

# The data path has its own retry layer; this one is for the few control-plane calls.
_CONTROL_PLANE = ClientConfig(
    connect_timeout=5,
    read_timeout=20,
    max_pool_connections=32,  # several tables are inspected at once, by several calls each
    retries={"mode": "standard", "total_max_attempts": 4},
)


@dataclass(slots=True)
class AccountSession:
    """One side, opened: its control-plane client, its credentials and what botocore decided.

    `signing_region` is None where it is the region, as nearly always. `takes_arns` is whether the
    endpoint knows a table by its ARN, as DynamoDB does, None while no stand-in for it was asked.
    `service_clock` is what the control plane signs by. `streams_url` is where the streams are,
    where something is set for them; see `streams_endpoint`. Whoever asks a stand-in `takes_turns`.
    `functions` opens the client of Lambda, None where there is nobody to ask.
    `end_in_words` is for people where the side's own credentials end and nothing renews them.
    """

    side: Side
    region: str
    acting_as: str
    client: Any
    credentials: CredentialSource
    ca_bundle: str | None
    signing_region: str | None = None
    end_in_words: str | None = None
    takes_arns: bool | None = None
    streams_url: str | None = None
    functions: OpenFunctions | None = None
    service_clock: ServiceClock = field(default_factory=ServiceClock)
    takes_turns: asyncio.Lock = field(default_factory=asyncio.Lock)

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

    def error_for(self, error: Exception, *, operation: str, table: str | None) -> DynaferryError:
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
    models: ServiceModels | None = None,
) -> AsyncIterator[AccountSession]:
    """Opens one side. Accounts that share `models` open sooner.

    :raises PlanError: the profile or the certificates are not there, or no region is set anywhere
    """
    models = models or ServiceModels()
    session = new_session(account, side, models)
    ca_bundle = await asyncio.to_thread(trusted_certificates, session)
    check_region(region := await region_of(session, side), side)
    caller = _Caller(replace(account, region=region), side, models, session)
    resolve = _resolver(session, region, account, sts_endpoint_url, ca_bundle, caller.load)
    credentials = caller.source(resolve)
    # So that a role that may not be assumed shows here, not later.
    await _first(credentials, caller.prompter, caller.origin)
    # The control-plane client signs with the same: it asks its session for credentials.
    session._session._credentials = SharedCredentials(credentials)
    async with (
        aclosing(credentials),
        _control_plane(session, side, region, account.endpoint_url, ca_bundle) as client,
    ):
        yield AccountSession(
            side=side,
            region=client.meta.region_name,
            acting_as=caller.acting_as,
            client=client,
            credentials=credentials,
            ca_bundle=ca_bundle,
            signing_region=client._request_signer.region_name,
            service_clock=models.service_clock,
            end_in_words=caller.end_in_words(),
            takes_arns=True if is_aws(URL(client.meta.endpoint_url)) else None,
            streams_url=streams_url_of(session, account),
            functions=functions_of(session, region, client.meta.endpoint_url, ca_bundle),
        )


class _Caller:
    """Whoever the side's own credentials belong to: how they are found, and found anew."""

    def __init__(self, account: Account, side: Side, models: ServiceModels, session: Any) -> None:
        self._account = account
        self._side = side
        self._models = models
        self.acting_as = _acting_as(account)
        self.secrets = Redactor(account.external_id, lasting=passwords())
        self.origin = origin_of(session._session, side, _called(account))
        self.prompter = Prompter()
        self._loaded: CallersCredentials | None = None

    def source(self, resolve: Callable[[], Awaitable[Any]]) -> CredentialSource:
        """Where requests get what `resolve` gives."""
        return CredentialSource(
            resolve,
            self.to_error,
            self.secrets,
            whose=f"the {self._side}",
            service_clock=self._models.service_clock,
        )

    async def load(self) -> CallersCredentials:
        """The credentials, looked for from scratch."""
        self._loaded = await load_callers(
            self._fresh_session, self.secrets, self.origin, self.prompter
        )
        return self._loaded

    def end_in_words(self) -> str | None:
        """When they end, for people, where nothing renews them."""
        loaded = self._loaded
        return None if loaded is None else loaded.end_in_words(datetime.now(UTC), self.prompter)

    def to_error(self, error: Exception) -> DynaferryError:
        """What was raised while they were looked for, without their secrets."""
        self.secrets.hide_in_error(error)
        site = CallSite(
            table=None, side=self._side, acting_as=self.acting_as, caller=self.origin.who
        )
        # What is wrong with the caller's own credentials is an error of ours already.
        if isinstance(error, RuntimeError):
            return ended_already(site)
        return from_client_error(
            error,
            operation="AssumeRole",
            table=None,
            side=self._side,
            acting_as=self.acting_as,
            caller=self.origin.who,
        )

    def _fresh_session(self) -> Any:
        return new_session(self._account, self._side, self._models)._session


@asynccontextmanager
async def _control_plane(
    session: Any, side: Side, region: str, endpoint_url: str | None, ca_bundle: str | None
) -> AsyncIterator[Any]:
    async with AsyncExitStack() as stack:
        try:
            client = await stack.enter_async_context(
                session.client(
                    "dynamodb",
                    region_name=region,
                    endpoint_url=endpoint_url,
                    verify=ca_bundle or True,
                    config=_CONTROL_PLANE,
                )
            )
        except (BotoCoreError, ValueError) as error:
            raise PlanError(f"the {side} cannot be opened: {error}") from error
        yield client


async def _first(credentials: CredentialSource, prompter: Prompter, origin: Origin) -> None:
    """Finds them, and asks for a code where one is wanted: this once, before anything begins."""
    try:
        await credentials.current()
    except AccessDeniedError as error:
        wanted = error.__cause__
        code = None
        if isinstance(wanted, CodeWantedError):
            role = origin.setting("role_arn") or "its role"
            code = await ask(f"the {origin.side}, {origin.who}, {role}: {wanted}")
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
