"""The host of a side's streams, by botocore's rules and the documentation's."""

from pathlib import Path

import pytest
from botocore.exceptions import EndpointProviderError

from dynaferry.dynamodb.account import streams_endpoint as rules
from dynaferry.dynamodb.account.session import Side, open_account
from dynaferry.dynamodb.account.streams_endpoint import streams_endpoint
from dynaferry.errors import PlanError
from dynaferry.plan.settings import Account


async def endpoint_of(account: Account, side: Side = "source") -> str:
    async with open_account(account, side) as session:
        return await streams_endpoint(session)


async def endpoint_in(region: str, endpoint_url: str | None = None) -> str:
    return await endpoint_of(Account(region=region, endpoint_url=endpoint_url))


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


@pytest.mark.parametrize("side", ["source", "target"])
async def test_each_sides_own_streams_address_comes_first(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "https://vpce-1.streams.dynamodb.eu-central-1.vpce.amazonaws.com"
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB_STREAMS", "http://127.0.0.1:1")
    account = Account(
        region="eu-central-1", endpoint_url="http://127.0.0.1:8000", streams_endpoint_url=url
    )
    assert await endpoint_of(account, side) == url


async def test_an_address_of_awss_own_for_the_tables_is_none_for_the_streams(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = "https://streams.dynamodb.eu-central-1.amazonaws.com/"
    tables = "https://vpce-1.dynamodb.eu-central-1.vpce.amazonaws.com"
    assert await endpoint_in("eu-central-1", tables) == url
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", tables)
    assert await endpoint_in("eu-central-1") == url


async def test_the_variable_of_the_streams_comes_before_all_that_is_said_of_tables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = "http://127.0.0.1:8001"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:2")
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB_STREAMS", url)
    assert await endpoint_in("eu-central-1") == url
    assert await endpoint_in("eu-central-1", "http://127.0.0.1:3") == url
    monkeypatch.delenv("AWS_ENDPOINT_URL_DYNAMODB_STREAMS")
    assert await endpoint_in("eu-central-1", "http://127.0.0.1:3") == "http://127.0.0.1:3"
    assert await endpoint_in("eu-central-1") == "http://127.0.0.1:1"


CONFIG = """\
[default]
services = local
endpoint_url = http://127.0.0.1:9
[services local]
dynamodb =
  endpoint_url = http://127.0.0.1:2
dynamodb_streams =
  endpoint_url = http://127.0.0.1:8001
"""


async def test_the_services_section_of_the_profile_is_read_as_the_aws_cli_reads_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text(CONFIG)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    assert await endpoint_in("eu-central-1") == "http://127.0.0.1:8001"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:3")  # a variable before any file
    assert await endpoint_in("eu-central-1") == "http://127.0.0.1:3"
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    own = "https://streams.dynamodb.eu-central-1.amazonaws.com/"
    assert await endpoint_in("eu-central-1") == own


async def test_a_services_section_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text("[default]\nservices = gone\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    with pytest.raises(PlanError, match='"gone" services'):
        await endpoint_in("eu-central-1")


async def test_an_address_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB_STREAMS", "localhost:8001")
    with pytest.raises(PlanError, match=r"the endpoint of the source's streams .* is not a URL"):
        await endpoint_in("eu-central-1")


async def test_where_the_rules_know_none_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class NoRules:
        def resolve_endpoint(self, **_: object) -> None:
            raise EndpointProviderError(msg="Invalid Configuration: Missing Region")

    monkeypatch.setattr(rules, "_provider", NoRules)
    with pytest.raises(PlanError, match=r"no endpoint for streams: .*Missing Region"):
        await endpoint_in("eu-central-1")
