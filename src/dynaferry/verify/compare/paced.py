"""One request at a side's pace: admitted, counted, and settled whatever comes of it."""

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from dynaferry.errors import RetryableError, ThrottledError
from dynaferry.throttle.limiter import RateLimiter
from dynaferry.verify.stats import ComparisonStats

Answer = TypeVar("Answer")


async def paced(
    limiter: RateLimiter,
    stats: ComparisonStats,
    attempt: Callable[[], Awaitable[Answer]],
    units: float,
    *,
    consumed_of: Callable[[Answer], float | None],
    clock: Callable[[], float] = time.monotonic,
) -> Answer:
    """Waits until a request of about `units` may be sent, sends it, and returns its answer.

    :raises Exception: what `attempt` raises, as it is
    """
    stats.requests_waiting += 1
    try:
        await limiter.acquire(units)
    finally:
        stats.requests_waiting -= 1
    began = clock()
    stats.requests_in_flight += 1
    try:
        answer = await attempt()
    except ThrottledError as error:
        stats.retried_requests += 1
        stats.throttled_requests += 1
        limiter.throttled(error, units)
        raise
    except BaseException as error:
        stats.retried_requests += isinstance(error, RetryableError)
        limiter.settle(units, None)
        raise
    finally:
        stats.requests_in_flight -= 1
    limiter.settle(units, consumed_of(answer), latency_seconds=clock() - began)
    return answer
