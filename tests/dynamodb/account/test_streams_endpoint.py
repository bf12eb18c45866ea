"""The host of a side's streams, by botocore's rules and the documentation's."""

import pytest
from botocore.exceptions import EndpointProviderError

from dynaferry.dynamodb.account import streams_endpoint as rules
from dynaferry.dynamodb.account.session import open_account
from dynaferry.dynamodb.account.streams_endpoint import streams_endpoint
from dynaferry.errors import PlanError
from dynaferry.plan.settings import Account


async def endpoint_in(region: str, endpoint_url: str | None = None) -> str:
    account = Account(region=region, endpoint_url=endpoint_url)
    async with open_account(account, "source") as session:
        return await streams_endpoint(session)


@pytest.mark.parametrize(
    ("region", "url"),
    [
        ("eu-central-1", "https://streams.dynamodb.eu-central-1.amazonaws.com/"),
        ("us-gov-west-1", "https://streams.dynamodb.us-gov-west-1.amazonaws.com/"),
        ("cn-north-1", "https://streams.dynamodb.cn-north-1.amazonaws.com.cn/"),
    ],
)
async def test_streams_have_a_host_of_their_own(region: str, url: str) -> None:
    assert await endpoint_in(region) == url


@pytest.mark.parametrize(
    ("region", "url"),
    [
        ("eu-central-1", "https://streams-dynamodb.eu-central-1.api.aws/"),
        ("cn-north-1", "https://streams-dynamodb.cn-north-1.api.amazonwebservices.com.cn/"),
    ],
)
async def test_dual_stack_hosts_are_those_of_the_documentation(
    region: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_USE_DUALSTACK_ENDPOINT", "true")
    assert await endpoint_in(region) == url


async def test_fips_hosts_are_those_of_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    url = "https://streams.dynamodb-fips.eu-central-1.amazonaws.com/"
    assert await endpoint_in("eu-central-1") == url
    monkeypatch.setenv("AWS_USE_DUALSTACK_ENDPOINT", "true")
    url = "https://streams-dynamodb-fips.eu-central-1.api.aws/"
    assert await endpoint_in("eu-central-1") == url


async def test_a_configured_endpoint_serves_the_streams_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = "http://127.0.0.1:8000"
    assert await endpoint_in("eu-central-1", url) == url
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", url)
    assert await endpoint_in("eu-central-1") == url


async def test_where_the_rules_know_none_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoRules:
        def resolve_endpoint(self, **_: object) -> None:
            raise EndpointProviderError(msg="Invalid Configuration: Missing Region")

    monkeypatch.setattr(rules, "_provider", NoRules)
    with pytest.raises(PlanError, match=r"no endpoint for streams: .*Missing Region"):
        await endpoint_in("eu-central-1")
