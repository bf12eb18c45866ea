"""Whether a Scan's responses are asked for packed (gzip).

Packing spares the line and costs CPU time on both ends: over a short line it only slows a copy
down. So it is decided by the line: by how long opening a connection takes, which is one round
trip. Within a region that is a millisecond or two, to another region 10 ms and more. The service
packs larger responses when asked [facts sheet, section 4]; what comes unpacked is taken as well.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from yarl import URL

from dynaferry.dynamodb.environment.proxies import proxy_for
from dynaferry.dynamodb.http.addresses import Addresses
from dynaferry.plan.settings import Compress

FAR_SECONDS = 0.02
SAMPLE_SECONDS = 2.0


async def wants_packed(
    compress: Compress,
    endpoint: str,
    *,
    round_trip: Callable[[str], Awaitable[float | None]] | None = None,
) -> bool:
    """Whether to ask `endpoint` for packed responses; "auto" does where it is far away.

    Behind a proxy nobody knows how far it is, and an endpoint that cannot be reached directly
    counts as near.
    """
    if compress != "auto":
        return compress == "on"
    seconds = await (round_trip or round_trip_seconds)(endpoint)
    return seconds is not None and seconds >= FAR_SECONDS


async def round_trip_seconds(endpoint: str) -> float | None:
    """How long opening a connection takes, the better of two; None where it does not open, and
    where a proxy stands between.
    """
    url = URL(endpoint)
    if proxy_for(url) is not None:
        return None
    try:
        addresses = Addresses(url.raw_host or "", url.port or 0)
        async with asyncio.timeout(SAMPLE_SECONDS):
            # The first one may have waited for the name's address, or for one that is not there.
            return min([await _connect_seconds(addresses) for _ in range(2)])
    except OSError:  # a TimeoutError is one
        return None


async def _connect_seconds(addresses: Addresses) -> float:
    started = time.perf_counter()
    connected = await addresses.connect()
    seconds = time.perf_counter() - started
    connected.close()
    return seconds
