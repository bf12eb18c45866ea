"""Both sides are opened, also where whoever gives credentials is away for a moment."""

import pytest

from dynaferry.errors import AccessDeniedError, UnavailableError
from dynaferry.plan.settings import Account, CopyPlan, TablePlan
from dynaferry.run import sides
from dynaferry.run.sides import open_sides
from tests.worlds.credential_services import CredentialServices
from tests.worlds.endpoint import Answer, Behaviour, Decide, Drop, Request, running_endpoint

ROLE_ARN = "arn:aws:iam::222222222222:role/ferry"
DENIED = Answer(
    body=b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error>"
    b"</ErrorResponse>",
    status=403,
    checksum="none",
)


@pytest.fixture(autouse=True)
def no_waiting_between_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes botocore's own retries follow at once, and ours nearly so."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.0)
    monkeypatch.setattr("dynaferry.throttle.retry.FIRST_WAIT_SECONDS", 0.001)


def plan_to(url: str, patience_seconds: float = 300.0) -> CopyPlan:
    return CopyPlan(
        source=Account(region="eu-central-1", endpoint_url=url),
        target=Account(region="eu-central-1", endpoint_url=url, role_arn=ROLE_ARN),
        tables=(TablePlan(source="orders", target="orders"),),
        sts_endpoint_url=url,
        patience_seconds=patience_seconds,
    )


async def test_a_side_is_opened_though_whoever_gives_credentials_was_away_for_a_moment() -> None:
    services, away, said = CredentialServices(), [Drop()] * 9, list[str]()

    def answer(request: Request) -> Behaviour:
        return away.pop() if away else services.answer(request)

    async with running_endpoint() as aws:
        aws.otherwise = Decide(answer)
        async with open_sides(plan_to(aws.url), said.append) as sides:
            assert (await sides.target.credentials.current()).access_key.startswith("ASIAGIVEN")
    assert away == []
    assert [line for line in said if line.startswith("tried again for up to")] == said
    assert len(said) == 1
    assert services.given == 1


async def test_a_side_is_not_waited_for_without_an_end_and_the_reason_is_reported() -> None:
    async with running_endpoint() as aws:
        aws.otherwise = Drop()
        with pytest.raises(UnavailableError, match=f"role {ROLE_ARN}"):
            async with open_sides(plan_to(aws.url, patience_seconds=0.01)):
                pass
    assert sides.START_SECONDS <= 60.0


async def test_a_role_that_may_not_be_assumed_is_reported_at_once() -> None:
    async with running_endpoint() as aws:
        aws.otherwise = DENIED
        with pytest.raises(AccessDeniedError):
            async with open_sides(plan_to(aws.url)):
                pass
        assert len(aws.requests) == 1
