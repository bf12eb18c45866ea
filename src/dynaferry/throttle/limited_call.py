"""One request at the rate of a side: admitted, sent, settled and counted, whatever comes of it.

Who reads, puts single items or compares sends through a `LimitedCall`, inside the one retry layer;
the writer of batches, which admits and settles several at once, does it by itself.
"""

import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, NamedTuple, Protocol, TypeVar

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
Whole = TypeVar("Whole", contravariant=True)


class Taken(NamedTuple):
    """What a response means for the rate: the units of what it left undone since the whole table
    is full, and whether it shows that the service is there.
    """

    refused_units: float = 0.0
    is_progress: bool = True


class Attribution(Protocol[Whole]):
    """Says of one request whose matter its throttles are: those of a part concern no limiter."""

    def taken(self, response: Whole, /) -> Taken:
        """Looks at the response."""
        ...

    def is_for_all(self, error: ThrottledError, /) -> bool:
        """Whether the refusal of the whole request concerns everybody."""
        ...


_ALL_TAKEN: Final = Taken()


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
        self,
        operation: str,
        attempt: Callable[[], Awaitable[Response]],
        units: float,
        attribution: Attribution[Response] | None = None,
    ) -> Response:
        """Waits until a request of about `units` may be sent, sends it, returns its response.

        Not tried again here: `RetryPolicy.call` goes around it, so that each try is admitted.
        Without an `attribution` every throttle concerns all.

        :raises Exception: what `attempt` raises, as it is
        """
        await self._admit(units)
        self._counters.sent()
        sent_at = self._clock()
        try:
            response = await attempt()
        except BaseException as error:
            self._settle_failed(operation, error, units, attribution)
            raise
        finally:
            self._counters.ended()
        consumed, taken = response.consumed_units, _ALL_TAKEN
        if attribution is not None:
            taken = attribution.taken(response)
        took = self._clock() - sent_at
        self._limiter.settle(units, consumed, refused=taken.refused_units, latency_seconds=took)
        if taken.is_progress:
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

    def _settle_failed(
        self,
        operation: str,
        error: BaseException,
        units: float,
        attribution: Attribution[Any] | None,
    ) -> None:
        if isinstance(error, RetryableError):
            self._counters.retried()
        if isinstance(error, ThrottledError):
            self._counters.throttled(operation, error.words)
            if attribution is None or attribution.is_for_all(error):
                self._limiter.throttled(error, units)
            else:
                self._limiter.settle(units, 0.0)
            return
        self._limiter.settle(units, None)
        if isinstance(error, ItemRefusedError | ConditionFailedError):
            # The service was there to refuse it.
            self._retry.progress()
