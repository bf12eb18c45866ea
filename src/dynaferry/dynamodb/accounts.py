"""Both sides' sessions: who calls, with which credentials, to which endpoint.

Everything is resolved as botocore resolves it (profile, environment, SSO cache, container,
instance), and a role, where one is named, is assumed on top. Role sessions last 3,600 s and are
renewed by botocore ahead of their end, so that a run may last for days; see `limits` on why not
shorter. When the service says earlier that credentials have expired, they are resolved anew.
"""

import asyncio
import math
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import aioboto3
from aiobotocore.config import AioConfig
from aiobotocore.credentials import (
    AioAssumeRoleCredentialFetcher,
    AioCredentials,
    AioDeferredRefreshableCredentials,
)
from botocore.exceptions import BotoCoreError, ProfileNotFound

from dynaferry.dynamodb.faults import CALL_ERRORS, from_client_error
from dynaferry.dynamodb.secrets import Secrets
from dynaferry.errors import DynaferryError, PlanError
from dynaferry.limits import ROLE_SESSION_SECONDS
from dynaferry.plan import Account

Side = Literal["source", "target"]
ROLE_SESSION_NAME = "dynaferry"  # what the other account's CloudTrail shows

# botocore renews credentials 15 minutes ahead of their end at the earliest. Until then it need not
# be asked with every request.
RENEWAL_SECONDS = 16 * 60.0
LOOK_AGAIN_SECONDS = 1.0

# The data path has its own retry layer; this one is for the few control-plane calls.
_CONTROL_PLANE = AioConfig(
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
    """The current credentials of one side, and the way to new ones."""

    def __init__(
        self,
        resolve: Callable[[], Awaitable[Any]],
        to_error: Callable[[Exception], DynaferryError],
        secrets: Secrets | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolve = resolve
        self._to_error = to_error
        self.secrets = secrets or Secrets()
        self._renewing = asyncio.Lock()
        self._clock = clock
        self._current = Credentials("", "", None)
        self._good_until = -math.inf
        self.botocore_credentials: Any = None

    async def current(self) -> Credentials:
        """Credentials that are good now; renewed before they end.

        :raises AccessDeniedError: there are none, or the role may not be assumed
        :raises UnavailableError: STS did not answer
        :raises CorruptAnswerError: something else than STS answered
        """
        if self._clock() < self._good_until:
            return self._current
        try:
            if self.botocore_credentials is None:
                self.botocore_credentials = await self._resolved()
            frozen = await self.botocore_credentials.get_frozen_credentials()
        except (*CALL_ERRORS, OSError, RuntimeError) as error:
            raise self._to_error(error) from error
        credentials = Credentials(frozen.access_key, frozen.secret_key, frozen.token)
        self.secrets.note(credentials)
        left = self.seconds_left(datetime.now(UTC))
        if left is None or left > RENEWAL_SECONDS:
            self._current, self._good_until = credentials, self._clock() + LOOK_AGAIN_SECONDS
        return credentials

    async def _resolved(self) -> Any:
        try:
            return await self._resolve()
        except (*CALL_ERRORS, OSError) as error:
            raise self._to_error(error) from error

    def seconds_left(self, now: datetime) -> float | None:
        """How long the credentials of this moment last; None where they have no end.

        botocore renews those that it can 15 to 10 minutes ahead, so less than that tells of
        trouble. Asking renews nothing.
        """
        # botocore has no public word for it.
        end: datetime | None = getattr(self.botocore_credentials, "_expiry_time", None)
        return None if end is None else (end - now).total_seconds()

    async def renew(self, refused: Credentials) -> None:
        """Resolves anew, unless another request has already done so since `refused`."""
        async with self._renewing:
            if await self.current() == refused:
                self.botocore_credentials = await self._resolved()
                self._good_until = -math.inf
                await self.current()


class _SharedCredentials(AioCredentials):  # type: ignore[misc]  # botocore comes without types
    """What a botocore client asks for credentials: always those of the source, renewed or not."""

    def __init__(self, source: CredentialSource) -> None:
        super().__init__("asked", "for", "each time", method="dynaferry")
        self._source = source

    async def get_frozen_credentials(self) -> Any:
        await self._source.current()
        return await self._source.botocore_credentials.get_frozen_credentials()

    async def get_account_id(self) -> str | None:
        account_id: str | None = (await self.get_frozen_credentials()).account_id
        return account_id


class _CallersCredentials(AioCredentials):  # type: ignore[misc]  # botocore comes without types
    """What a role is assumed with, each time it is: it is a secret too."""

    def __init__(self, found: Any, secrets: Secrets) -> None:
        super().__init__("asked", "for", "each time", method=found.method)
        self._found = found
        self._secrets = secrets

    async def get_frozen_credentials(self) -> Any:
        frozen = await self._found.get_frozen_credentials()
        self._secrets.note((frozen.access_key, frozen.secret_key, frozen.token))
        return frozen


@dataclass(slots=True)
class AccountSession:
    """One side, opened: its control-plane client, its credentials and what botocore decided."""

    side: Side
    region: str
    acting_as: str
    client: Any
    credentials: CredentialSource
    ca_bundle: str | None

    async def endpoint_for(self, table: str) -> str:
        """The URL to which botocore sends calls for this table name or ARN.

        That is the regional endpoint, the account's own, a configured one: botocore's rules,
        read off a DescribeTable that it is about to send.
        """
        urls: list[str] = []

        def note_url(request: Any, **_: Any) -> None:
            urls.append(request.url)

        event = "before-send.dynamodb.DescribeTable"
        self.client.meta.events.register(event, note_url)
        try:
            await self.client.describe_table(TableName=table)
        except CALL_ERRORS as error:
            if not urls:
                raise self.error_for(error, operation="DescribeTable", table=table) from error
        finally:
            self.client.meta.events.unregister(event, note_url)
        return urls[-1]

    def error_for(self, error: Exception, *, operation: str, table: str) -> DynaferryError:
        """What botocore raised, as an error that names the operation, the table and the role."""
        self.credentials.secrets.hide_in_error(error)
        return from_client_error(
            error, operation=operation, table=table, side=self.side, acting_as=self.acting_as
        )


class Models:
    """What botocore's data files say of services and endpoints, read once for several accounts."""

    def __init__(self) -> None:
        self._loaders: dict[str | None, Any] = {}

    def share(self, session: Any) -> None:
        """Lets a botocore session read from here. Where it is told to look elsewhere, it does."""
        folders: str | None = session.get_config_variable("data_path")
        loader = self._loaders.setdefault(folders, session.get_component("data_loader"))
        session.register_component("data_loader", loader)


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
    session = _new_session(account, side, models)
    ca_bundle = await asyncio.to_thread(_ca_bundle, session)
    region = _region(session, side)
    acting_as = _acting_as(account)
    secrets = Secrets(account.external_id)

    def to_error(error: Exception) -> DynaferryError:
        secrets.hide_in_error(error)
        operation = "AssumeRole" if account.role_arn else "resolving credentials"
        return from_client_error(
            error, operation=operation, table=None, side=side, acting_as=acting_as
        )

    resolve = _resolver(session, region, account, side, sts_endpoint_url, secrets, models)
    credentials = CredentialSource(resolve, to_error, secrets)
    await credentials.current()  # so that a role that may not be assumed shows here, not later
    # The control-plane client signs with the same: it asks its session for credentials.
    session._session._credentials = _SharedCredentials(credentials)
    async with AsyncExitStack() as stack:
        try:
            client = await stack.enter_async_context(
                session.client(
                    "dynamodb",
                    region_name=region,
                    endpoint_url=account.endpoint_url,
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
        )


def _new_session(account: Account, side: Side, models: Models) -> Any:
    try:
        session = aioboto3.Session(profile_name=account.profile, region_name=account.region)
        session.region_name  # noqa: B018  # reads the profile, which is where a missing one shows
        models.share(session._session)
    except ProfileNotFound as error:
        raise PlanError(
            f"there is no AWS profile named {error.kwargs['profile']!r}",
            hint=f"check --{side}-profile and AWS_PROFILE against ~/.aws/config",
        ) from error
    except BotoCoreError as error:
        raise PlanError(
            f"the AWS configuration for the {side} is not understood: {error}",
            hint="check ~/.aws/config and ~/.aws/credentials",
        ) from error
    return session


def _ca_bundle(session: Any) -> str | None:
    """The file of certificates to trust, where one is set. It blocks."""
    ca_bundle: str | None = session._session.get_config_variable("ca_bundle")
    if ca_bundle and not Path(ca_bundle).is_file():
        raise PlanError(
            f"the certificates {ca_bundle} are not there",
            hint="check AWS_CA_BUNDLE and the profile's ca_bundle",
        )
    return ca_bundle


def _region(session: Any, side: Side) -> str:
    # botocore reads AWS_DEFAULT_REGION; AWS_REGION is what containers and other SDKs set.
    region: str | None = session.region_name or os.environ.get("AWS_REGION")
    if region is None:
        raise PlanError(
            f"no region is set for the {side}",
            hint=f"add --{side}-region, or set AWS_DEFAULT_REGION or the profile's region",
        )
    return region


def _resolver(
    session: Any,
    region: str,
    account: Account,
    side: Side,
    sts_endpoint_url: str | None,
    secrets: Secrets,
    models: Models,
) -> Callable[[], Awaitable[Any]]:
    """How to get credentials from scratch, for the plain caller or for the role."""

    async def load_base() -> Any:
        # A session of its own each time: a session caches the roles of its profile, and would
        # give again what was just refused.
        fresh = _new_session(account, side, models)._session
        return await fresh.get_component("credential_provider").load_credentials()

    if account.role_arn is None:
        return partial(_load, load_base)
    extra = {"RoleSessionName": ROLE_SESSION_NAME, "DurationSeconds": ROLE_SESSION_SECONDS}
    if account.external_id is not None:
        extra["ExternalId"] = account.external_id

    def create_sts(service: str, **credentials: Any) -> Any:
        return session.client(
            service,
            region_name=region,
            endpoint_url=sts_endpoint_url,
            config=_CONTROL_PLANE,
            **credentials,
        )

    async def assume() -> Any:
        fetcher = AioAssumeRoleCredentialFetcher(
            client_creator=create_sts,
            source_credentials=_CallersCredentials(await _load(load_base), secrets),
            role_arn=account.role_arn,
            extra_args=extra,
        )
        return AioDeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")

    return assume


async def _load(load_base: Callable[[], Awaitable[Any]]) -> Any:
    credentials = await load_base()
    if credentials is None:
        from botocore.exceptions import NoCredentialsError

        raise NoCredentialsError
    return credentials


def _acting_as(account: Account) -> str:
    if account.role_arn is not None:
        return f"role {account.role_arn}"
    if account.profile is not None:
        return f"profile {account.profile}"
    return "the credentials of the environment"
