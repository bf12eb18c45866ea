import pytest
from msgspec.structs import replace

from dynaferry.dynamodb.environment.settings import THE_SERVICE_ITSELF, whose_endpoint
from dynaferry.run.resume import with_current_endpoints
from dynaferry.state.records import (
    RunIdentity,
    TableIdentity,
)
from tests.state.contract import table_identity

LOCAL = "http://127.0.0.1:8000"


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://dynamodb.us-east-1.amazonaws.com",
        "https://123456789012.ddb.us-east-1.amazonaws.com/",
        "https://vpce-0a-1b.dynamodb.us-east-1.vpce.amazonaws.com",
        "https://dynamodb.cn-north-1.amazonaws.com.cn",
        "https://dynamodb.us-east-1.api.aws",
    ],
)
def test_every_address_of_aws_is_one_service(endpoint: str) -> None:
    assert whose_endpoint(endpoint) == THE_SERVICE_ITSELF


def test_a_stand_in_is_recognised_by_scheme_host_and_port() -> None:
    assert whose_endpoint("http://127.0.0.1:8000/") == whose_endpoint(LOCAL) == LOCAL
    assert whose_endpoint("https://Stand.In/shell") == "https://stand.in:443"
    assert whose_endpoint("https://amazonaws.com.example") == "https://amazonaws.com.example:443"
    for odd in (THE_SERVICE_ITSELF, "http://[::1", ""):
        assert whose_endpoint(odd) == odd


def told(endpoint: str, created_at: float | None) -> TableIdentity:
    return replace(
        table_identity(),
        source_endpoint=endpoint,
        target_endpoint=endpoint,
        source_created_at=created_at,
        target_created_at=created_at,
    )


def one(endpoint: str, created_at: float | None) -> RunIdentity:
    return RunIdentity(tables=(told(endpoint, created_at),))


@pytest.mark.parametrize(
    ("stored", "created_at", "now"),
    [
        (THE_SERVICE_ITSELF, None, LOCAL),  # what the environment named was not stored
        ("http://127.0.0.1:8000/", None, LOCAL),
        ("http://127.0.0.1:8001", None, "http://127.0.0.1:8001"),
        ("https://dynamodb.us-east-1.amazonaws.com", None, THE_SERVICE_ITSELF),
        (THE_SERVICE_ITSELF, 1.0, THE_SERVICE_ITSELF),
        (LOCAL, 1.0, LOCAL),
    ],
)
def test_endpoints_of_earlier_versions_become_what_they_are_today(
    stored: str, created_at: float | None, now: str
) -> None:
    (table,) = with_current_endpoints(one(stored, created_at), one(LOCAL, 1.0)).tables
    assert (table.source_endpoint, table.target_endpoint) == (now, now)
