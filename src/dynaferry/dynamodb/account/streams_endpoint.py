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

from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.errors import PlanError

_CONFIGURED: Final = "SDK::Endpoint"
_SWITCHES: Final = {"UseDualStack": "AWS::UseDualStack", "UseFIPS": "AWS::UseFIPS"}


async def streams_endpoint(session: AccountSession) -> str:
    """The URL of the streams of a side. Nothing is sent.

    An endpoint that is configured for its tables is taken as it is: stand-ins serve both.

    :raises PlanError: by these settings there is none
    """
    settings = session.client._ruleset_resolver._builtins
    configured: str | None = settings.get(_CONFIGURED)
    if configured is not None:
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
