"""One request at the rate of a side: admitted, sent, settled and counted, whatever comes of it.

Who reads, puts single items or compares sends through a `LimitedCall`, inside the one retry layer;
the writer of batches, which admits and settles several at once, does it by itself.
"""

import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol, TypeVar

from dynaferry.errors import (
    ConditionFailedError,
    ItemRefusedError,
    RetryableError,
    ThrottledError,
)
from dynaferry.throttle.limiter import RateLimiter
from dynaferry.throttle.retry import RetryPolicy


class RequestCounters(Protocol):
    """Counts the requests of one kind. Each one that waits is sent or not, each one sent ends."""

    def waiting(self, more: int) -> None:
        """So many more wait to be admitted; fewer where it is negative."""
        ...

    def sent(self) -> None:
        """A request is sent."""
        ...

    def ended(self) -> None:
        """A request that was sent has had its response, or will have none."""
        ...

    def retried(self) -> None:
        """A request has failed in a way that lets it be tried again."""
        ...

    def throttled(self, operation: str, reasons: Iterable[str]) -> None:
        """The service refused a request for its rate, for these reasons in its own words."""
        ...

    def consumed(self, units: float) -> None:
        """A request consumed so many units."""
        ...


class Consuming(Protocol):
    """A response that says what its request consumed."""

    @property
    def consumed_units(self) -> float | None:
        """Capacity units, None where the service does not say."""
        ...


Response = TypeVar("Response", bound=Consuming)


class LimitedCall:
    """Sends the requests of one kind. Any number of tasks may call it."""

    def __init__(
        self,
        limiter: RateLimiter,
        retry: RetryPolicy,
        counters: RequestCounters,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limiter = limiter
        self._retry = retry
        self._counters = counters
        self._clock = clock

    async def send(
        self, operation: str, attempt: Callable[[], Awaitable[Response]], units: float
    ) -> Response:
        """Waits until a request of about `units` may be sent, sends it, returns its response.

        Not tried again here: `RetryPolicy.call` goes around it, so that each try is admitted.

        :raises Exception: what `attempt` raises, as it is
        """
        await self._admit(units)
        self._counters.sent()
        sent_at = self._clock()
        try:
            response = await attempt()
        except BaseException as error:
            self._settle_failed(operation, error, units)
            raise
        finally:
            self._counters.ended()
        consumed = response.consumed_units
        self._limiter.settle(units, consumed, latency_seconds=self._clock() - sent_at)
        self._retry.progress()
        if consumed is not None:
            self._counters.consumed(consumed)
        return response

    async def _admit(self, units: float) -> None:
        self._counters.waiting(1)
        try:
            await self._limiter.acquire(units)
        finally:
            self._counters.waiting(-1)

    def _settle_failed(self, operation: str, error: BaseException, units: float) -> None:
        if isinstance(error, RetryableError):
            self._counters.retried()
        if isinstance(error, ThrottledError):
            self._counters.throttled(operation, error.words)
            self._limiter.throttled(error, units)
            return
        self._limiter.settle(units, None)
        if isinstance(error, ItemRefusedError | ConditionFailedError):
            # The service was there to refuse it.
            self._retry.progress()
