"""Where a side's streams are read: another host than its tables', by botocore's rules.

By its rule set, that is: what a client names as its endpoint comes of an older list, which has
`streams.dynamodb.REGION.api.aws` for dual-stack, where the documentation and the rules have
`streams-dynamodb.REGION.api.aws` [DG:Streams].
"""

import asyncio
from functools import cache
from typing import Any, Final

from botocore.endpoint_provider import EndpointProvider
from botocore.exceptions import BotoCoreError
from botocore.loaders import create_loader
from yarl import URL

from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.dynamodb.environment.settings import is_aws
from dynaferry.errors import PlanError
from dynaferry.shared.urls import checked_url

_CONFIGURED: Final = "SDK::Endpoint"
_SWITCHES: Final = {"UseDualStack": "AWS::UseDualStack", "UseFIPS": "AWS::UseFIPS"}


async def streams_endpoint(session: AccountSession) -> str:
    """The URL of the streams of a side, the source's or the target's. Nothing is sent.

    What is set for the streams comes first. A stand-in that is configured for the tables serves
    both; an address of AWS's own, such as an interface endpoint of the tables, does not.

    :raises PlanError: by these settings there is none, or what is set is no URL
    """
    settings = session.client._ruleset_resolver._builtins
    configured: str | None = session.streams_url
    if configured is not None:
        checked_url(f"the endpoint of the {session.side}'s streams", configured)
        return configured
    configured = settings.get(_CONFIGURED)
    if configured is not None and not is_aws(URL(configured)):
        return configured
    switches = {name: bool(settings.get(builtin)) for name, builtin in _SWITCHES.items()}
    try:
        provider = await asyncio.to_thread(_provider)
        url: str = provider.resolve_endpoint(Region=session.region, **switches).url
    except BotoCoreError as error:
        raise PlanError(f"the {session.side} has no endpoint for streams: {error}") from error
    return f"{url}/"


@cache
def _provider() -> Any:
    loader = create_loader()
    return EndpointProvider(
        loader.load_service_model("dynamodbstreams", "endpoint-rule-set-1"),
        loader.load_data("partitions"),
    )
