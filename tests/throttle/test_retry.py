from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tenacity import RetryCallState, Retrying

from dynaferry.errors import (
    AccessDeniedError,
    CorruptAnswerError,
    ImpossibleAnswerError,
    ItemRefusedError,
    RequestRefusedError,
    RetryableError,
    ServiceGoneError,
    ThrottledError,
    UnavailableError,
)
from dynaferry.throttle.retry import (
    FIRST_WAIT_SECONDS,
    LEAST_ATTEMPTS,
    MAX_WAIT_SECONDS,
    MOST_IMPOSSIBLE_RESPONSES,
    Patience,
    RetryPolicy,
    full_jitter,
)


class Timeline:
    """A clock that sleeping moves, and a note of every sleep."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sleeps: list[float] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


def policy_with(
    timeline: Timeline,
    patience_seconds: float = 300.0,
    *,
    passing: tuple[type[RetryableError], ...] = (),
) -> RetryPolicy:
    patience = Patience(patience_seconds, clock=timeline.clock)
    return RetryPolicy("target", patience, passing=passing, sleep=timeline.sleep)


def failing(times: int, error: Exception) -> tuple[list[int], Callable[[], Awaitable[str]]]:
    calls: list[int] = []

    async def attempt() -> str:
        calls.append(1)
        if len(calls) <= times:
            raise error
        return "done"

    return calls, attempt


async def test_a_call_that_works_is_made_once_and_waits_for_nothing() -> None:
    timeline = Timeline()
    calls, attempt = failing(0, UnavailableError("down"))
    assert await policy_with(timeline).call(attempt) == "done"
    assert (len(calls), timeline.sleeps) == (1, [])


@pytest.mark.parametrize(
    "error",
    [UnavailableError("down"), ThrottledError("slow", code="ThrottlingException")],
)
async def test_what_may_pass_is_tried_again_with_a_wait_before_each_try(
    error: RetryableError,
) -> None:
    timeline = Timeline()
    calls, attempt = failing(7, error)
    assert await policy_with(timeline).call(attempt) == "done"
    assert (len(calls), len(timeline.sleeps)) == (8, 7)
    assert all(seconds <= MAX_WAIT_SECONDS for seconds in timeline.sleeps)


@pytest.mark.parametrize(
    "error",
    [AccessDeniedError("no"), ItemRefusedError("bad", code="ValidationException"), ValueError()],
)
@pytest.mark.parametrize("after", [0, 1])
async def test_what_will_not_pass_is_raised_at_once(error: Exception, after: int) -> None:
    timeline = Timeline()
    calls: list[int] = []

    async def attempt() -> None:
        calls.append(1)
        raise UnavailableError("down") if len(calls) <= after else error

    with pytest.raises(type(error)) as raised:
        await policy_with(timeline).call(attempt)
    assert raised.value is error
    assert len(calls) == after + 1


async def test_a_side_that_accepts_nothing_for_its_patience_is_called_gone() -> None:
    timeline = Timeline()
    calls, attempt = failing(10**9, UnavailableError("down", operation="BatchWriteItem"))
    with pytest.raises(ServiceGoneError, match=r"the target accepted nothing for 300 s") as raised:
        await policy_with(timeline).call(attempt)
    assert timeline.now >= 300.0
    assert timeline.now <= 300.0 + MAX_WAIT_SECONDS
    assert raised.value.operation == "BatchWriteItem"
    assert "same command" in (raised.value.hint or "")
    assert isinstance(raised.value.__cause__, UnavailableError)
    assert len(calls) < 400, "an outage is no time to hammer"


async def test_a_batch_that_starves_while_others_get_through_does_not_end_the_run() -> None:
    timeline = Timeline()
    policy = policy_with(timeline, patience_seconds=60.0)

    async def attempt() -> str:
        policy.progress()  # another writer's
        if timeline.now < 1000.0:
            raise ThrottledError("hot key", code="ThrottlingException")
        return "done"

    assert await policy.call(attempt) == "done"
    assert timeline.now >= 1000.0


@pytest.mark.parametrize(
    ("cause", "begins"),
    [("check the proxy", "check the proxy; then "), (None, "once it is back, ")],
)
async def test_a_side_that_is_gone_is_reported_with_what_is_known_of_the_cause(
    cause: str | None, begins: str
) -> None:
    _, attempt = failing(10**6, UnavailableError("nobody answers", hint=cause))
    with pytest.raises(ServiceGoneError) as raised:
        await policy_with(Timeline()).call(attempt)
    hint = raised.value.hint or ""
    assert hint == f"{begins}the same command resumes where this run stopped"


async def test_patience_begins_with_the_failure_however_long_nothing_was_asked() -> None:
    timeline = Timeline()
    policy = policy_with(timeline)
    timeline.now = 10_000.0
    _, attempt = failing(3, UnavailableError("down"))
    assert await policy.call(attempt) == "done"


@given(attempt=st.integers(1, 10_000))
def test_a_wait_is_a_random_part_of_a_growing_span_with_a_cap(attempt: int) -> None:
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = attempt
    span = min(MAX_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** min(attempt - 1, 32))
    waits = [full_jitter(FIRST_WAIT_SECONDS, MAX_WAIT_SECONDS)(state) for _ in range(40)]
    assert all(0.0 <= wait <= span for wait in waits)
    assert max(waits) > span / 2 > min(waits), "full jitter uses the whole span"


@pytest.mark.parametrize("after", [0, 1, 3])
async def test_an_error_that_the_caller_waits_for_itself_comes_through(after: int) -> None:
    timeline, throttle = Timeline(), ThrottledError("slow", code="ThrottlingException")
    calls: list[int] = []

    async def attempt() -> None:
        calls.append(1)
        raise UnavailableError("down") if len(calls) <= after else throttle

    with pytest.raises(ThrottledError) as raised:
        await policy_with(timeline, passing=(ThrottledError,)).call(attempt)
    assert raised.value is throttle
    assert (len(calls), len(timeline.sleeps)) == (after + 1, after)


def test_a_side_that_refuses_everything_for_its_patience_is_given_up() -> None:
    timeline, throttle = Timeline(), ThrottledError("slow", code="ThrottlingException")
    policy = policy_with(timeline, passing=(ThrottledError,))
    for _ in range(30):
        policy.give_up_if_gone(throttle)
        timeline.now += 10.0
    with pytest.raises(ServiceGoneError, match="the target accepted nothing for 300 s") as raised:
        policy.give_up_if_gone(throttle)
    assert raised.value.__cause__ is throttle


def test_a_few_refusals_long_apart_are_no_reason_to_give_up() -> None:
    timeline, throttle = Timeline(), ThrottledError("slow", code="ThrottlingException")
    policy = policy_with(timeline)
    for _ in range(LEAST_ATTEMPTS - 1):
        policy.give_up_if_gone(throttle)
        timeline.now += 1000.0
    with pytest.raises(ServiceGoneError):
        policy.give_up_if_gone(throttle)


def test_whatever_is_accepted_in_between_starts_the_patience_anew() -> None:
    timeline, throttle = Timeline(), ThrottledError("slow", code="ThrottlingException")
    policy = policy_with(timeline)
    for _ in range(100):
        policy.give_up_if_gone(throttle)
        timeline.now += 50.0
        policy.progress()
    timeline.now += 299.0
    for _ in range(2 * LEAST_ATTEMPTS):
        policy.give_up_if_gone(throttle)
    assert timeline.now > 5000.0


async def test_responses_that_cannot_be_true_are_not_waited_for_as_an_outage_is() -> None:
    timeline = Timeline()
    calls, attempt = failing(100, ImpossibleAnswerError("3 evaluated, but 2 came", table="orders"))
    with pytest.raises(RequestRefusedError, match="3 evaluated, but 2 came") as caught:
        await policy_with(timeline).call(attempt)
    assert len(calls) == MOST_IMPOSSIBLE_RESPONSES
    assert timeline.now < 20.0
    assert "is back" not in (caught.value.hint or "")
    assert caught.value.table == "orders"


async def test_responses_that_cannot_be_true_now_and_then_are_asked_for_again() -> None:
    timeline = Timeline()
    errors = [ImpossibleAnswerError("no"), UnavailableError("no"), CorruptAnswerError("no")] * 10

    async def attempt() -> str:
        if errors:
            raise errors.pop()
        return "done"

    assert await policy_with(timeline).call(attempt) == "done"


# Time-outs ----------------------------------------------------------------------------------------


def hanging(timeline: Timeline, patience: Patience, seconds: float) -> Callable[[], Awaitable[str]]:
    """Requests that are not answered, and are waited for as long as the wire does."""

    async def attempt() -> str:
        timeline.now += (waited := min(seconds, max(0.5, patience.left())))
        error = UnavailableError("timed out")
        error.took_seconds = waited
        raise error

    return attempt


@pytest.mark.parametrize("patience_seconds", [5.0, 20.0, 60.0, 300.0])
async def test_a_side_that_hangs_is_given_its_patience_and_no_more(patience_seconds: float) -> None:
    timeline = Timeline()
    patience = Patience(patience_seconds, clock=timeline.clock)
    policy = RetryPolicy("source", patience, sleep=timeline.sleep)
    timeline.now = 1000.0  # it was not asked for long
    began = timeline.now
    silence_seconds = min(30.0, patience_seconds / 5)
    with pytest.raises(ServiceGoneError):
        await policy.call(hanging(timeline, patience, silence_seconds))
    assert patience_seconds <= timeline.now - began <= patience_seconds + 0.5


async def test_no_wait_goes_beyond_the_end_of_the_patience() -> None:
    timeline = Timeline()
    _, attempt = failing(1000, UnavailableError("refused"))
    with pytest.raises(ServiceGoneError):
        await policy_with(timeline, 30.0).call(attempt)
    assert 30.0 <= timeline.now <= 31.0


def test_all_of_the_patience_is_left_while_nothing_fails() -> None:
    timeline = Timeline()
    patience = Patience(20.0, clock=timeline.clock)
    timeline.now = 500.0
    assert patience.left() == 20.0
    patience.failed(UnavailableError("no"), timeline.now)
    timeline.now = 515.0
    assert patience.left() == 5.0
    patience.progress()
    assert patience.left() == 20.0
