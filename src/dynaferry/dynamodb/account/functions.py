"""The client of Lambda, which knows what functions read a stream.

It is asked once, for words that would be less exact without; so it tries once, and not for long.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Final

from botocore.configprovider import ConfiguredEndpointProvider
from botocore.exceptions import BotoCoreError
from yarl import URL

from dynaferry.dynamodb.environment.settings import ClientConfig, is_aws

OpenFunctions = Callable[[], AbstractAsyncContextManager[Any]]

_SERVICE: Final = "lambda"
_CONFIG: Final = ClientConfig(
    connect_timeout=2, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 1}
)


def functions_of(
    session: Any, region: str, tables_url: str, ca_bundle: str | None
) -> OpenFunctions | None:
    """Opens the client, with the credentials that the session has; None where there is nobody to
    ask: behind a stand-in for DynamoDB only one that is set for Lambda, or for all services.
    """
    botocore_session = session._session
    configured: str | None = None
    if not botocore_session.get_config_variable("ignore_configured_endpoint_urls"):
        try:
            configured = ConfiguredEndpointProvider(
                full_config=botocore_session.full_config,
                scoped_config=botocore_session.get_scoped_config(),
                client_name=_SERVICE,
            ).provide()
        except BotoCoreError:
            return None
    if configured is None and not is_aws(URL(tables_url)):
        return None
    return partial(
        session.client,
        _SERVICE,
        region_name=region,
        endpoint_url=configured,
        verify=ca_bundle or True,
        config=_CONFIG,
    )
