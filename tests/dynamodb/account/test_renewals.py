"""When credentials are asked for anew, how often, and who waits for it; by a clock of its own."""

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from dynaferry.dynamodb.account.credentials import (
    CREDENTIALS_REFRESH_SECONDS,
    CREDENTIALS_WAIT_SECONDS,
    FAILED_SECONDS,
    Credentials,
    CredentialSource,
)
from dynaferry.dynamodb.environment.service_clock import ServiceClock
from dynaferry.errors import AccessDeniedError, DynaferryError, UnavailableError
from tests.worlds.sides import made_up_credentials, renewed

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Giver:
    """Gives credentials as botocore does: new ones whenever it is asked in their last 15 minutes.

    `lasts` is for how many seconds; `fails` is raised instead, and `gate` is waited for.
    """

    lasts: float | None
    now: float = 0.0
    given: int = 0
    asked: int = 0
    fails: Exception | None = None
    gate: asyncio.Event | None = None
    _expiry_time: datetime | None = field(default=None, init=False)

    async def resolve(self) -> "Giver":
        await self._give()
        return self

    async def _give(self) -> None:
        self.asked += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.fails is not None:
            raise self.fails
        self.given += 1
        if self.lasts is not None:
            self._expiry_time = self.wall_clock() + timedelta(seconds=self.lasts)

    async def get_frozen_credentials(self) -> Credentials:
        if self._expiry_time is not None:
            left = (self._expiry_time - self.wall_clock()).total_seconds()
            if left < 900 and left != self.lasts:
                await self._give()
        return made_up_credentials(self.given)

    def clock(self) -> float:
        return self.now

    def wall_clock(self) -> datetime:
        return BEGINNING + timedelta(seconds=self.now)

    def source(self) -> CredentialSource:
        return CredentialSource(
            self.resolve,
            _told,
            whose="the target",
            clock=self.clock,
            service_clock=ServiceClock(lambda: BEGINNING.timestamp() + self.now),
        )


def _told(error: Exception) -> DynaferryError:
    return error if isinstance(error, DynaferryError) else UnavailableError(str(error))


@pytest.mark.parametrize("lasts", [None, 3600.0, 900.0, 600.0, 300.0])
async def test_credentials_are_asked_for_once_a_minute_at_most(lasts: float | None) -> None:
    giver = Giver(lasts)
    source = giver.source()
    seconds = 7200
    for second in range(0, seconds, 5):
        giver.now = float(second)
        for _ in range(3):
            await source.current()
        await renewed(source)
    most = (
        seconds / CREDENTIALS_REFRESH_SECONDS
        if lasts is not None and lasts < 3600
        else seconds / 2600
    )
    assert giver.given <= most + 1


@pytest.mark.parametrize("lasts", [3600.0, 600.0, 40.0, 5.0])
async def test_credentials_are_good_whenever_they_are_asked_for(lasts: float) -> None:
    giver = Giver(lasts)
    source = giver.source()
    for tenth in range(4000):
        giver.now = tenth / 10 if lasts < 100 else 5.0 * tenth
        await source.current()
        left = source.seconds_left(giver.wall_clock())
        assert left is not None
        assert left > 0
        await renewed(source)


async def test_nobody_waits_for_a_renewal_while_what_is_known_is_good() -> None:
    giver = Giver(600.0)
    source = giver.source()
    first = await source.current()
    giver.gate = asyncio.Event()
    giver.now = 100.0
    for _ in range(50):
        assert await source.current() == first
    giver.gate.set()
    assert await renewed(source) == made_up_credentials(2)
    assert giver.given == 2


async def test_a_renewal_that_fails_is_a_warning_while_what_is_known_is_good(
    caplog: pytest.LogCaptureFixture,
) -> None:
    giver = Giver(600.0)
    source = giver.source()
    first = await source.current()
    giver.fails = AccessDeniedError("the session has ended")
    with caplog.at_level(logging.WARNING, logger="dynaferry"):
        giver.now = 120.0
        assert await renewed(source) == first
    (warning,) = caplog.records
    assert warning.levelname == "WARNING"
    assert "the target's credentials could not be renewed" in warning.message
    assert "8.0 minutes more: the session has ended" in warning.message
    giver.fails = None
    giver.now = 240.0
    assert await renewed(source) == made_up_credentials(2)


async def test_when_nothing_is_good_any_more_the_failure_is_raised() -> None:
    giver = Giver(600.0)
    source = giver.source()
    await source.current()
    giver.fails = AccessDeniedError("the session has ended")
    giver.now = 600.0
    with pytest.raises(AccessDeniedError, match="the session has ended"):
        await source.current()


async def test_who_has_just_failed_is_not_asked_again_by_everybody() -> None:
    giver = Giver(600.0)
    source = giver.source()
    await source.current()
    giver.fails, asked = UnavailableError("no answer"), giver.asked
    for tenth in range(6000, 6600):
        giver.now = tenth / 10
        with pytest.raises(UnavailableError):
            await source.current()
    assert giver.asked - asked <= 60 / FAILED_SECONDS + 1


async def test_what_is_refused_is_renewed_at_once_and_once_for_all_who_were_refused() -> None:
    giver = Giver(3600.0)
    source = giver.source()
    refused = await source.current()
    await asyncio.gather(*(source.renew(refused) for _ in range(20)))
    assert await source.current() == made_up_credentials(2)
    await source.renew(refused)  # one that comes late
    assert giver.given == 2


async def test_what_is_refused_during_a_refresh_is_renewed_by_it_or_behind_it() -> None:
    giver = Giver(600.0)
    source = giver.source()
    refused = await source.current()
    giver.gate = asyncio.Event()
    giver.now = 100.0
    await source.current()  # begins a look
    renewing = [asyncio.create_task(source.renew(refused)) for _ in range(5)]
    await asyncio.sleep(0)
    giver.gate.set()
    await asyncio.gather(*renewing)
    assert await source.current() != refused


async def test_one_who_gives_up_waiting_does_not_end_the_refresh_of_others() -> None:
    giver = Giver(600.0, gate=asyncio.Event())
    source = giver.source()
    impatient = asyncio.create_task(source.current())
    patient = asyncio.create_task(source.current())
    await asyncio.sleep(0)
    impatient.cancel()
    assert giver.gate is not None
    giver.gate.set()
    assert await patient == made_up_credentials(1)
    assert giver.given == 1


async def test_a_renewal_that_hangs_is_an_outage_for_who_waits_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dynaferry.dynamodb.account.credentials.CREDENTIALS_WAIT_SECONDS", 0.01)
    giver = Giver(600.0)
    source = giver.source()
    await source.current()
    giver.gate = asyncio.Event()
    giver.now = 600.0
    with pytest.raises(UnavailableError, match="the target's credentials") as caught:
        await source.current()
    assert 0 < caught.value.took_seconds <= CREDENTIALS_WAIT_SECONDS
    await source.aclose()


async def test_a_source_that_is_closed_leaves_no_refresh_behind() -> None:
    giver = Giver(600.0)
    source = giver.source()
    await source.current()
    giver.gate = asyncio.Event()
    giver.now = 100.0
    await source.current()
    await source.aclose()
    assert source._refreshing is None
