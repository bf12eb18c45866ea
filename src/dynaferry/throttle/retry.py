"""The one retry layer (invariant 6): when to try again, how long to wait, when to give up.

SDK retries are off on the data path. What may be tried again says so by its class
(`RetryableError`); waits have full jitter and a cap; and a side that has accepted nothing from
anybody for the whole of its patience is called gone. A single batch that starves while others get
through does not end a run.
"""

import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_all,
    retry_if_exception_type,
    retry_if_not_exception_type,
)
from tenacity.stop import stop_base
from tenacity.wait import wait_base

from dynaferry.errors import (
    ImpossibleAnswerError,
    RequestRefusedError,
    RetryableError,
    ServiceGoneError,
)

T = TypeVar("T")

FIRST_WAIT_SECONDS = 0.05
LEAST_ATTEMPTS = 5
# So many responses in a row that cannot be true are no accident: some three seconds of waits.
MOST_IMPOSSIBLE_RESPONSES = 8
MAX_WAIT_SECONDS = 10.0


class full_jitter(wait_base):  # noqa: N801  # tenacity's policies are named like functions
    """Waits a random part of an exponentially growing span, up to `max_seconds`."""

    def __init__(self, first_seconds: float, max_seconds: float) -> None:
        self._first_seconds = first_seconds
        self._max_seconds = max_seconds

    def __call__(self, retry_state: RetryCallState) -> float:
        """Seconds to wait after attempt number `retry_state.attempt_number`, counted from 1."""
        # Beyond 2**32 the cap has long decided; a larger exponent would only overflow.
        doublings = min(retry_state.attempt_number - 1, 32)
        span = min(self._max_seconds, self._first_seconds * 2.0**doublings)
        return random.uniform(0.0, span)  # noqa: S311  # jitter, not a secret


class Patience:
    """How long one side may accept nothing at all, shared by everybody who calls it."""

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._progress_at = clock()
        self._failing_since: float | None = None

    def progress(self) -> None:
        """Something was accepted: the side is there."""
        self._progress_at = self._clock()
        self._failing_since = None

    def now(self) -> float:
        """The time by the clock that patience is measured with."""
        return self._clock()

    def failed(self, error: RetryableError, now: float) -> float:
        """A request failed for the first time; returns since when its caller fails."""
        since = max(self._progress_at, now - error.took_seconds)
        if self._failing_since is None:
            self._failing_since = since
        return since

    def left(self) -> float:
        """How long a request may still be waited for: all of it while nothing fails."""
        if self._failing_since is None:
            return self.seconds
        return self.seconds - (self._clock() - self._failing_since)

    def is_out(self, failing_since: float, now: float) -> bool:
        """Whether a caller that fails since then may call the side gone, at the moment `now`."""
        return now - max(self._progress_at, failing_since) >= self.seconds


class _stop_when_gone(stop_base):  # noqa: N801  # tenacity's policies are named like functions
    """Whether the side is gone, for one caller whose requests fail one after the other."""

    def __init__(self, patience: Patience, first_error: RetryableError, now: float) -> None:
        self._patience = patience
        self._failing_since = patience.failed(first_error, now)
        self._failures = 0
        self._waited_seconds = 0.0

    def __call__(self, retry_state: RetryCallState) -> bool:
        return self.after(_last_error(retry_state), self._patience.now())

    def after(self, error: BaseException | None, now: float) -> bool:
        """Counts another failure, the first one as well, and says whether the side is gone."""
        self._failures += 1
        self._waited_seconds += error.took_seconds if isinstance(error, RetryableError) else 0.0
        # Under a low cap most of the time goes by in waiting for admission: that alone is no sign.
        tried_enough = (
            self._failures >= LEAST_ATTEMPTS or self._waited_seconds >= self._patience.seconds
        )
        return tried_enough and self._patience.is_out(self._failing_since, now)


class _while_patient(full_jitter):  # noqa: N801  # tenacity's policies are named like functions
    """Full jitter, and no wait beyond the end of the patience."""

    def __init__(self, patience: Patience) -> None:
        super().__init__(FIRST_WAIT_SECONDS, MAX_WAIT_SECONDS)
        self._patience = patience

    def __call__(self, retry_state: RetryCallState) -> float:
        return min(super().__call__(retry_state), max(FIRST_WAIT_SECONDS, self._patience.left()))


class _stop_when_impossible(stop_base):  # noqa: N801  # tenacity's policies are named like functions
    def __init__(self) -> None:
        self._in_a_row = 0

    def __call__(self, retry_state: RetryCallState) -> bool:
        is_one = isinstance(_last_error(retry_state), ImpossibleAnswerError)
        self._in_a_row = self._in_a_row + 1 if is_one else 0
        return self._in_a_row >= MOST_IMPOSSIBLE_RESPONSES


def _last_error(retry_state: RetryCallState) -> BaseException | None:
    return retry_state.outcome.exception() if retry_state.outcome else None


class RetryPolicy:
    """Calls until it succeeds, is refused for good, or the side is gone.

    Errors of the classes in `passing` are the caller's to wait for: they come through `call`, and
    the caller tells them to `give_up_if_gone`.
    """

    def __init__(
        self,
        side: str,
        patience: Patience,
        *,
        passing: tuple[type[RetryableError], ...] = (),
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._side = side
        self._patience = patience
        self._passing = passing
        self._sleep = sleep
        self._passed_on: _stop_when_gone | None = None

    async def call(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Returns what `attempt` returns, tried again for as long as it raises RetryableError.

        :raises ServiceGoneError: the side accepted nothing for the whole of its patience
        """
        try:
            return await attempt()
        except self._passing:
            raise
        except RetryableError as error:
            first_error = error
        return await self.again(first_error, attempt)

    async def again(self, first_error: RetryableError, attempt: Callable[[], Awaitable[T]]) -> T:
        """Goes on as `call` does, after a first attempt that failed with `first_error`.

        For those who make the first one themselves, since tenacity's machinery costs 28 µs.

        :raises ServiceGoneError: the side accepted nothing for the whole of its patience
        :raises RequestRefusedError: its responses cannot be true, one after the other
        """
        failed = [first_error]

        async def attempt_after_failure() -> T:
            if failed:
                raise failed.pop()
            return await attempt()

        retrying = AsyncRetrying(
            retry=retry_all(
                retry_if_exception_type(RetryableError),
                retry_if_not_exception_type(self._passing),
            ),
            wait=_while_patient(self._patience),
            stop=_stop_when_impossible()
            | _stop_when_gone(self._patience, first_error, self._patience.now()),
            sleep=self._sleep,
            retry_error_callback=self._give_up,
        )
        result: T = await retrying(attempt_after_failure)
        return result

    def progress(self) -> None:
        """Something was accepted: everybody's patience with this side starts anew."""
        self._patience.progress()
        self._passed_on = None

    def give_up_if_gone(self, error: RetryableError) -> None:
        """Returns while the side may be waited for after `error`.

        :raises ServiceGoneError: the side accepted nothing for the whole of its patience
        """
        now = self._patience.now()
        if self._passed_on is None:
            self._passed_on = _stop_when_gone(self._patience, error, now)
        if self._passed_on.after(error, now):
            raise self._gone(error) from error

    def _give_up(self, retry_state: RetryCallState) -> None:
        last = _last_error(retry_state)
        if isinstance(last, ImpossibleAnswerError):
            raise RequestRefusedError(
                f"{last}; it was asked {MOST_IMPOSSIBLE_RESPONSES} times or more",
                hint="check the endpoint address: this is not how DynamoDB responds, or something "
                "between changes what it says",
                operation=last.operation,
                table=last.table,
                segment=last.segment,
            ) from last
        raise self._gone(last) from last

    def _gone(self, last: BaseException | None) -> ServiceGoneError:
        # What is known of the cause says more than that one may wait for its end.
        cause = getattr(last, "hint", None)
        again = "the same command resumes where this run stopped"
        return ServiceGoneError(
            f"the {self._side} accepted nothing for {self._patience.seconds:,.0f} s; last: {last}",
            hint=f"{cause}; then {again}" if cause else f"once it is back, {again}",
            operation=getattr(last, "operation", None),
            table=getattr(last, "table", None),
        )
