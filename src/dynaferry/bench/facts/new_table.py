"""How long a table that was just made is not found by some of the service's servers."""

import time
from typing import Final

import anyio
from msgspec import Struct

from dynaferry.bench.facts.subject import Subject
from dynaferry.dynamodb.items.new_table import FOUND_EVERYWHERE_SECONDS
from dynaferry.errors import RetryableError, TableNotFoundError

PROBE_SECONDS: Final = 0.1
# So long every request has to find it before nobody looks any more.
FOUND_FOR_SECONDS: Final = 5.0


class NewTableFound(Struct, frozen=True, kw_only=True):
    """`active_seconds` are from CreateTable to ACTIVE, `lost_seconds` from then to the last request
    that did not find the table, 0 where all did.
    """

    active_seconds: float
    requests: int
    not_found: int
    lost_seconds: float


async def watch_new_table(
    subject: Subject, *, created_at: float, for_seconds: float
) -> NewTableFound:
    """Writes to the table all the time, from the moment that it is ACTIVE."""
    active_at = found_since = time.monotonic()
    requests = not_found = 0
    lost_seconds = 0.0
    found_for = min(FOUND_FOR_SECONDS, for_seconds)
    while True:
        asked_at = time.monotonic()
        if asked_at - found_since >= found_for or asked_at - active_at >= FOUND_EVERYWHERE_SECONDS:
            break
        requests += 1
        try:
            await subject.put_once(subject.new_key())
        except TableNotFoundError:
            not_found += 1
            found_since = time.monotonic()
            lost_seconds = found_since - active_at
        except RetryableError:
            pass  # a failure of another kind says nothing of this
        await anyio.sleep(PROBE_SECONDS)
    return NewTableFound(
        active_seconds=round(active_at - created_at, 3),
        requests=requests,
        not_found=not_found,
        lost_seconds=round(lost_seconds, 3),
    )
