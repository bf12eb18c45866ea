"""What becomes of one request at the rate of a side, in every way that it may end."""

import math
from collections.abc import Iterable

import anyio
import pytest

from dynaferry.errors import (
    AccessDeniedError,
    ConditionFailedError,
    DynaferryError,
    ItemRefusedError,
    ThrottledError,
    UnavailableError,
)
from dynaferry.ports import PutResult
from dynaferry.throttle.limited_call import LimitedCall
from dynaferry.throttle.retry import Patience, RetryPolicy

UNITS = 3.0
REASON = "TableWriteProvisionedThroughputExceeded"
THROTTLED = ThrottledError("slow down", code="ThrottlingException", reasons=[(REASON, "arn")])
REFUSED = ItemRefusedError("no", code="ValidationException")
NOT_SO = ConditionFailedError("there is another", item=None, operation="PutItem")


class Limiter:
    """Admits at once, or never while it is `shut`, and notes what it is told."""

    most_units_at_once = math.inf
    shut = False

    def __init__(self) -> None:
        self.notes: list[tuple[object, ...]] = []

    def acquire_nowait(self, units: float, requests: int = 1) -> bool:
        raise AssertionError("a request waits for its turn")

    async def acquire(self, units: float, requests: int = 1) -> None:
        if self.shut:
            await anyio.sleep_forever()
        self.notes.append(("admitted", units))

    def settle(
        self,
        admitted: float,
        consumed: float | None,
        *,
        refused: float = 0.0,
        latency_seconds: float = 0.0,
        requests: int = 1,
    ) -> None:
        self.notes.append(("settled", admitted, consumed, latency_seconds))

    def throttled(self, error: ThrottledError, admitted: float) -> None:
        self.notes.append(("throttled", admitted))


class Counted:
    """Notes what it is told of."""

    def __init__(self) -> None:
        self.notes: list[tuple[object, ...]] = []

    def waiting(self, more: int) -> None:
        self.notes.append(("waiting", more))

    def sent(self) -> None:
        self.notes.append(("sent",))

    def ended(self) -> None:
        self.notes.append(("ended",))

    def retried(self) -> None:
        self.notes.append(("retried",))

    def throttled(self, operation: str, reasons: Iterable[str]) -> None:
        self.notes.append(("throttled", operation, *reasons))

    def consumed(self, units: float) -> None:
        self.notes.append(("consumed", units))


class Sent:
    """A call whose clock goes on by a second with each look, and all that it tells."""

    def __init__(self) -> None:
        self.limiter, self.counted = Limiter(), Counted()
        self.now = 0.0
        patience = Patience(60.0, clock=self._clock)
        self.retry = RetryPolicy("target", patience)
        self.call = LimitedCall(self.limiter, self.retry, self.counted, clock=self._clock)

    def _clock(self) -> float:
        self.now += 1.0
        return self.now

    async def make(self, outcome: PutResult | BaseException) -> PutResult:
        async def attempt() -> PutResult:
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        return await self.call.send("PutItem", attempt, UNITS)

    async def fail(self, error: DynaferryError) -> list[tuple[object, ...]]:
        """What is counted between the request and its end, where it fails with this error."""
        with pytest.raises(type(error)):
            await self.make(error)
        before, (ended,) = self.counted.notes[:3], self.counted.notes[-1:]
        assert before == [("waiting", 1), ("waiting", -1), ("sent",)]
        assert ended == ("ended",)
        return self.counted.notes[3:-1]


async def test_what_was_consumed_is_settled_with_its_latency_and_counted() -> None:
    sent = Sent()
    result = PutResult(None, 2.0)
    assert await sent.make(result) is result
    (_, settled) = sent.limiter.notes
    assert settled == ("settled", UNITS, 2.0, 1.0)
    assert sent.counted.notes[2:] == [("sent",), ("ended",), ("consumed", 2.0)]


async def test_where_the_service_does_not_say_what_was_consumed_nothing_is_counted() -> None:
    sent = Sent()
    await sent.make(PutResult(None))
    assert sent.limiter.notes[-1][:3] == ("settled", UNITS, None)
    assert sent.counted.notes[-1] == ("ended",)


async def test_a_throttle_is_counted_with_its_reason_and_settled_as_a_throttle() -> None:
    sent = Sent()
    assert await sent.fail(THROTTLED) == [("retried",), ("throttled", "PutItem", REASON)]
    assert sent.limiter.notes == [("admitted", UNITS), ("throttled", UNITS)]


@pytest.mark.parametrize(
    ("error", "counted"),
    [
        (UnavailableError("away"), [("retried",)]),
        (REFUSED, []),
        (NOT_SO, []),
        (AccessDeniedError("no"), []),
    ],
)
async def test_whatever_else_fails_is_settled_without_knowing_what_it_consumed(
    error: DynaferryError, counted: list[tuple[object, ...]]
) -> None:
    sent = Sent()
    assert await sent.fail(error) == counted
    assert sent.limiter.notes == [("admitted", UNITS), ("settled", UNITS, None, 0.0)]


@pytest.mark.parametrize(
    ("outcome", "is_there"),
    [
        (PutResult(None, 1.0), True),
        (REFUSED, True),
        (NOT_SO, True),
        (UnavailableError("away"), False),
        (THROTTLED, False),
    ],
)
async def test_a_side_that_accepts_or_refuses_for_the_content_is_there(
    outcome: PutResult | DynaferryError, *, is_there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent, progress = Sent(), list[bool]()
    monkeypatch.setattr(sent.retry, "progress", lambda: progress.append(True))
    if isinstance(outcome, DynaferryError):
        await sent.fail(outcome)
    else:
        await sent.make(outcome)
    assert progress == [True] * is_there


async def test_one_that_is_cancelled_while_it_waits_is_neither_sent_nor_settled() -> None:
    sent = Sent()
    sent.limiter.shut = True
    with anyio.move_on_after(0.01):
        await sent.make(PutResult(None))
    assert sent.limiter.notes == []
    assert sent.counted.notes == [("waiting", 1), ("waiting", -1)]


async def test_one_that_is_cancelled_under_way_is_settled_and_has_ended() -> None:
    async def attempt() -> PutResult:
        await anyio.sleep_forever()
        return PutResult(None)

    sent = Sent()
    with anyio.move_on_after(0.01):
        await sent.call.send("PutItem", attempt, UNITS)
    assert sent.limiter.notes == [("admitted", UNITS), ("settled", UNITS, None, 0.0)]
    assert sent.counted.notes[2:] == [("sent",), ("ended",)]
