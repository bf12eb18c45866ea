"""What the environment and ~/.aws say: read in one place, for control calls and data path alike.

It is read as the AWS CLI v2 reads it, so that a command reaches the tables that the same `aws`
command would reach. botocore by itself does not: it passes over AWS_REGION, prefers
AWS_DEFAULT_PROFILE to AWS_PROFILE, takes an empty AWS_CA_BUNDLE for a wish not to look at
certificates, and its asyncio form looks at no host's name, and at nothing behind a proxy.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from ssl import SSLContext, create_default_context
from typing import Any, Literal

import aioboto3
from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession
from aiobotocore.utils import AioIMDSRegionProvider
from botocore.configprovider import ConfiguredEndpointProvider
from botocore.exceptions import BotoCoreError, ProfileNotFound
from botocore.utils import BadIMDSRequestError, get_environ_proxies
from yarl import URL

from dynaferry.dynamodb.environment.service_clock import ServiceClock
from dynaferry.errors import PlanError
from dynaferry.plan.settings import Account

Side = Literal["source", "target"]

# name: (key in the profile, variables with the first one first, otherwise, conversion), as the
# AWS CLI v2 has them where botocore has them otherwise.
_VARIABLES: dict[str, tuple[str | None, list[str] | None, str | None, Any]] = {
    "region": ("region", ["AWS_REGION", "AWS_DEFAULT_REGION"], None, None),
    "profile": (None, ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"], None, None),
    # The CLI knows no other; tokens of the global endpoint are not good in every region.
    "sts_regional_endpoints": (None, None, "regional", None),
    "ca_bundle": ("ca_bundle", ["AWS_CA_BUNDLE"], None, lambda path: path or None),
}

_STREAMS = "dynamodbstreams"  # as botocore calls that client
_STREAMS_VARIABLE = "AWS_ENDPOINT_URL_DYNAMODB_STREAMS"

THE_SERVICE_ITSELF = "the service's own"

# The domains of AWS's partitions, as botocore's partitions.json has them.
AWS_DOMAINS = (
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".amazonaws.eu",
    ".api.aws",
    ".api.amazonwebservices.com.cn",
    ".api.amazonwebservices.eu",
    ".c2s.ic.gov",
    ".api.aws.ic.gov",
    ".sc2s.sgov.gov",
    ".api.aws.scloud",
    ".cloud.adc-e.uk",
    ".csp.hci.ic.gov",
    ".api.aws.hci.ic.gov",
)


class ServiceModels:
    """What botocore's data files say of services and endpoints, read once for several accounts.

    `service_clock` is the one that all of them sign by.
    """

    def __init__(self) -> None:
        self._loaders: dict[str | None, Any] = {}
        self.service_clock = ServiceClock()

    def share(self, session: Any) -> None:
        """Lets a botocore session read from here. Where it is told to look elsewhere, it does."""
        folders: str | None = session.get_config_variable("data_path")
        loader = self._loaders.setdefault(folders, session.get_component("data_loader"))
        session.register_component("data_loader", loader)


class _VerifiedHttp(AIOHTTPSession):  # type: ignore[misc]  # aiobotocore comes without types
    """botocore's own HTTP, which looks at every certificate and at the name in it."""

    def __init__(self, verify: str | bool = True, **settings: Any) -> None:
        super().__init__(verify=verify or True, **settings)

    def _get_ssl_context(self) -> SSLContext:
        context: SSLContext = super()._get_ssl_context()
        context.check_hostname = True
        return context

    def _setup_proxy_ssl_context(self, proxy_url: str) -> SSLContext:
        # None would mean: whatever certificate the proxy lets through.
        return super()._setup_proxy_ssl_context(proxy_url) or self._get_ssl_context()


class ClientConfig(AioConfig):  # type: ignore[misc]  # aiobotocore comes without types
    """The configuration of a botocore client of ours."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(http_session_cls=_VerifiedHttp, **settings)

    def merge(self, other_config: Any) -> "ClientConfig":
        """Both, where the other has its say first. botocore's own forgets the HTTP."""
        return ClientConfig(**self._user_provided_options | other_config._user_provided_options)


def new_session(account: Account, side: Side, models: ServiceModels) -> Any:
    """A session of aioboto3's for one side.

    :raises PlanError: the profile is not there, or ~/.aws cannot be read
    """
    try:
        botocore_session = AioSession(session_vars=_VARIABLES)
        # Also for those clients that botocore makes by itself, such as STS's for a profile's role.
        botocore_session.set_default_client_config(ClientConfig())
        session = aioboto3.Session(
            botocore_session=botocore_session,
            profile_name=account.profile,
            region_name=account.region,
        )
        session.region_name  # noqa: B018  # reads the profile, which is where a missing one shows
        models.share(session._session)
        models.service_clock.keep(session._session)
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


async def region_of(session: Any, side: Side) -> str:
    """The region: given, of AWS_REGION, of AWS_DEFAULT_REGION, of the profile, of the instance.

    :raises PlanError: none of them says one
    """
    region: str | None = session.region_name
    if region is None:
        with suppress(BadIMDSRequestError):  # what responds there is no instance's metadata
            region = await AioIMDSRegionProvider(session._session).provide()
    if region is None:
        raise PlanError(
            f"no region is set for the {side}",
            hint=f"add --{side}-region, or set AWS_REGION or the profile's region",
        )
    if not region:
        raise PlanError(
            f"the {side}'s region is set to nothing",
            hint=f"look at AWS_REGION and AWS_DEFAULT_REGION, or add --{side}-region",
        )
    return region


def streams_url_of(session: Any, account: Account) -> str | None:
    """The address that is set for the streams of a side, None where none is.

    First what is said of the streams themselves, then the stand-in that is given for the tables,
    which serves both, then what the AWS CLI finds: AWS_ENDPOINT_URL, the profile's `services`
    section (`dynamodb_streams`), the profile's `endpoint_url`.

    :raises PlanError: the `services` section that the profile names is not there
    """
    if account.streams_endpoint_url is not None:
        return account.streams_endpoint_url
    botocore_session = session._session
    is_ignored = botocore_session.get_config_variable("ignore_configured_endpoint_urls")
    named = None if is_ignored else os.environ.get(_STREAMS_VARIABLE)
    if named:
        return named
    if account.endpoint_url is not None and not is_aws(URL(account.endpoint_url)):
        return account.endpoint_url
    if is_ignored:
        return None
    configured = ConfiguredEndpointProvider(
        full_config=botocore_session.full_config,
        scoped_config=botocore_session.get_scoped_config(),
        client_name=_STREAMS,
    )
    try:
        url: str | None = configured.provide()
    except BotoCoreError as error:
        raise PlanError(
            f"the AWS configuration is not understood: {error}", hint="check ~/.aws/config"
        ) from error
    return url


def trusted_certificates(session: Any) -> str | None:
    """The file of certificates to trust, None for botocore's own. It blocks.

    :raises PlanError: it is not there, or holds none
    """
    configured: str | None = session._session.get_config_variable("ca_bundle")
    ca_bundle = configured or os.environ.get("REQUESTS_CA_BUNDLE") or None
    hint = "check AWS_CA_BUNDLE, the profile's ca_bundle and REQUESTS_CA_BUNDLE"
    try:
        if ca_bundle and not Path(ca_bundle).is_file():
            raise PlanError(f"the certificates {ca_bundle} are not there", hint=hint)
        if ca_bundle:
            create_default_context(cafile=ca_bundle)
    except OSError as error:
        raise PlanError(
            f"the certificates {ca_bundle} cannot be read: {error.strerror or error}", hint=hint
        ) from error
    return ca_bundle


def proxies_for(base_url: str) -> Mapping[str, str]:
    """The proxies of a client whose endpoint is `base_url`, by scheme; none past which it goes.

    NO_PROXY is held against the client's own endpoint, and not against those of accounts
    (123456789012.ddb.…) to which botocore then leads single calls.
    """
    proxies: Mapping[str, str] = get_environ_proxies(base_url)
    return proxies


def whose_endpoint(endpoint: str) -> str:
    """What of an endpoint tells one service from another.

    Which of AWS's own addresses botocore chooses depends on where the credentials come from: they
    are all one service. Of a stand-in it is scheme, host and port.
    """
    try:
        url = URL(endpoint)
        if not url.host:
            return endpoint
        return THE_SERVICE_ITSELF if is_aws(url) else f"{url.scheme}://{url.host}:{url.port}"
    except ValueError:
        return endpoint


def is_aws(url: URL) -> bool:
    """Whether an endpoint is DynamoDB itself, and no stand-in for it."""
    return (url.host or "").endswith(AWS_DOMAINS)
