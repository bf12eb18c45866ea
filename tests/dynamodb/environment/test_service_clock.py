"""A clock of this machine that is wrong, or jumps: calls and sessions go by the service's time."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import formatdate

import pytest

from dynaferry.dynamodb.account.session import open_account
from dynaferry.dynamodb.client import open_client
from dynaferry.dynamodb.environment.service_clock import ServiceClock
from dynaferry.dynamodb.tables.describe import describe_table
from dynaferry.errors import AccessDeniedError
from dynaferry.plan.settings import Account
from tests.worlds.credential_services import CredentialServices
from tests.worlds.endpoint import Answer, Behaviour, Decide, Request, refusal, running_endpoint
from tests.worlds.sides import renewed

HOUR_SECONDS = 3600.0
TABLE = (
    b'{"Table":{"TableName":"orders","TableArn":"arn:aws:dynamodb:eu-central-1:111111111111:'
    b'table/orders","TableStatus":"ACTIVE","CreationDateTime":1.0,"ItemCount":0,'
    b'"TableSizeBytes":0,"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}],'
    b'"AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}]}}'
)
ROLE = Account(region="eu-central-1", role_arn="arn:aws:iam::222222222222:role/ferry")


class Service:
    """STS and DynamoDB, whose time is so many seconds ahead of this machine's."""

    def __init__(self, ahead_seconds: float) -> None:
        self.ahead_seconds = ahead_seconds
        self.refused: list[str] = []
        self._credentials = CredentialServices()
        self._credentials.now = lambda: datetime.fromtimestamp(self.now(), UTC)
        self._credentials.dynamodb = lambda _: Answer(body=TABLE)

    def now(self) -> float:
        return time.time() + self.ahead_seconds

    def answer(self, request: Request) -> Behaviour:
        signed = datetime.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
        if abs(signed.replace(tzinfo=UTC).timestamp() - self.now()) < 300:
            return self._credentials.answer(request)
        self.refused.append(request.operation)
        date = {"Date": formatdate(self.now(), usegmt=True)}
        if request.operation != "AssumeRole":
            return refusal("InvalidSignatureException", "Signature expired", headers=date)
        words = (
            b"<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code>"
            b"<Message>Signature expired</Message></Error></ErrorResponse>"
        )
        return Answer(body=words, status=403, headers=date, checksum="none")


def at(url: str) -> Account:
    return Account(region=ROLE.region, role_arn=ROLE.role_arn, endpoint_url=url)


@pytest.mark.parametrize("ahead_seconds", [2 * HOUR_SECONDS, -2 * HOUR_SECONDS, 86400.0])
async def test_a_role_is_assumed_and_used_by_the_services_time(ahead_seconds: float) -> None:
    service = Service(ahead_seconds)
    async with running_endpoint() as aws:
        aws.otherwise = Decide(service.answer)
        async with open_account(at(aws.url), "target", sts_endpoint_url=aws.url) as session:
            assert (await describe_table(session, "orders")).name == "orders"
            async with open_client(
                session, table="orders", endpoint=aws.url, connections=1
            ) as client:
                await client.send("Scan", b"{}")
            left = session.credentials.seconds_left(session.service_clock.now())
    assert service.refused == ["AssumeRole"]  # what it learnt, all others knew
    assert left == pytest.approx(HOUR_SECONDS, abs=60)


@pytest.mark.parametrize("ahead_seconds", [2 * HOUR_SECONDS, -2 * HOUR_SECONDS])
async def test_a_clock_that_jumps_before_a_session_is_renewed_keeps_nothing(
    ahead_seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dynaferry.dynamodb.account.credentials.CREDENTIALS_REFRESH_SECONDS", 0.0)
    service = Service(0.0)
    async with running_endpoint() as aws:
        aws.otherwise = Decide(service.answer)
        async with open_account(at(aws.url), "target", sts_endpoint_url=aws.url) as session:
            first = await session.credentials.current()
            service.ahead_seconds = ahead_seconds
            await session.credentials.renew(first)
            assert await renewed(session.credentials) != first
            await describe_table(session, "orders")
            service.ahead_seconds = 0.0  # somebody set it right again
            await describe_table(session, "orders")
    assert service.refused == ["AssumeRole", "DescribeTable"]


async def test_the_right_time_does_not_hide_a_signature_that_is_wrong() -> None:
    async with running_endpoint() as aws:
        date = {"Date": formatdate(time.time() + HOUR_SECONDS, usegmt=True)}
        aws.otherwise = refusal("InvalidSignatureException", headers=date)
        account = Account(region="eu-central-1", endpoint_url=aws.url)
        async with open_account(account, "source") as session:
            with pytest.raises(AccessDeniedError):
                await describe_table(session, "orders")
    assert len(aws.requests) == 2


@pytest.mark.parametrize("date", ["", "yesterday", "Thu, 99 Foo 2026"])
def test_a_date_that_is_none_teaches_nothing(date: str) -> None:
    clock = ServiceClock()
    assert not clock.learn(date, 0.0)
    assert clock.offset_seconds == 0.0


def _clock_at(now: float) -> Callable[[], float]:
    return lambda: now


def test_what_was_learnt_meanwhile_is_believed() -> None:
    clock = ServiceClock(_clock_at(1_000_000.0))
    date = formatdate(1_007_200.0, usegmt=True)
    assert clock.learn(date, 0.0)
    assert clock.offset_seconds == 7200.0
    assert clock.learn(date, 0.0)  # of a request that was signed before
    assert not clock.learn(date, 7200.0)
    assert clock.now() == datetime.fromtimestamp(1_007_200.0, UTC)
    assert clock.copy().offset_seconds == 7200.0
    assert timedelta(0) == clock.now() - clock.copy().now()
