"""The lean signer against botocore's: both sign one request alike, byte for byte."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from string import ascii_letters, digits
from unittest.mock import patch

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from dynaferry.dynamodb.account.session import Credentials
from dynaferry.dynamodb.signing import STREAMS_API_PREFIX, Signer

HOST = "dynamodb.eu-central-1.amazonaws.com"
REGION = "eu-central-1"
MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC).timestamp()
ALICE = Credentials("AKIAALICE", "alice's secret", None)
BOB = Credentials("ASIABOB", "bob's secret", "bob's-token")

_KEY_CHARACTERS = ascii_letters + digits + "+/="
_names = st.text(ascii_letters + digits + "-", min_size=1, max_size=30)
_hosts = st.builds(
    lambda name, port: f"{name.lower()}.example" + ("" if port is None else f":{port}"),
    _names.filter(lambda name: name.strip("-") == name),
    st.none() | st.integers(1, 65535).filter(lambda port: port not in (80, 443)),
)
_credentials = st.builds(
    Credentials,
    st.text(ascii_letters + digits, min_size=1, max_size=128),
    st.text(_KEY_CHARACTERS, min_size=1, max_size=64),
    st.none() | st.text(_KEY_CHARACTERS, min_size=1, max_size=2000),
)
_days_and_moments = st.floats(0, 4_000_000_000) | st.builds(
    lambda day, offset: day * 86_400 + offset, st.integers(1, 40_000), st.floats(-1.5, 1.5)
)


@contextmanager
def _botocore_at(now: float) -> Iterator[None]:
    moment = datetime.fromtimestamp(int(now), UTC)
    with patch("botocore.auth.get_current_datetime", lambda: moment.replace(tzinfo=None)):
        yield


def _headers_of_botocore(
    operation: str,
    body: bytes,
    credentials: Credentials,
    now: float,
    host: str,
    region: str,
    api: str = "DynamoDB_20120810",
) -> dict[str, str]:
    request = AWSRequest(
        method="POST",
        url=f"https://{host}/",
        data=body,
        headers={
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"{api}.{operation}",
        },
    )
    with _botocore_at(now):
        SigV4Auth(BotocoreCredentials(*credentials), "dynamodb", region).add_auth(request)
    return {"Host": host, **dict(request.headers.items())}


def _assert_as_botocore(
    signer: Signer,
    credentials: Credentials,
    now: float,
    *,
    operation: str = "Scan",
    body: bytes = b"{}",
    host: str = HOST,
    region: str = REGION,
) -> None:
    ours = signer.sign(operation, body, credentials, now).headers
    assert ours == _headers_of_botocore(operation, body, credentials, now, host, region)


@given(
    host=_hosts,
    region=_names,
    operation=st.sampled_from(["Scan", "BatchWriteItem"]),
    body=st.binary(max_size=4000),
    credentials=_credentials,
    now=_days_and_moments,
)
def test_every_request_is_signed_as_botocore_signs_it(
    host: str, region: str, operation: str, body: bytes, credentials: Credentials, now: float
) -> None:
    signer = Signer(host=host, region=region)
    _assert_as_botocore(
        signer, credentials, now, operation=operation, body=body, host=host, region=region
    )


@given(st.lists(st.tuples(st.sampled_from([ALICE, BOB]) | _credentials, _days_and_moments)))
def test_a_signer_signs_as_botocore_whatever_it_has_signed_before(
    turns: list[tuple[Credentials, float]],
) -> None:
    signer = Signer(host=HOST, region=REGION)
    for credentials, now in turns:
        _assert_as_botocore(signer, credentials, now)


def test_the_signing_key_changes_with_the_day() -> None:
    signer = Signer(host=HOST, region=REGION)
    for now in (MIDNIGHT - 1, MIDNIGHT - 0.001, MIDNIGHT, MIDNIGHT + 86_400, MIDNIGHT - 1):
        _assert_as_botocore(signer, BOB, now)


def test_renewed_credentials_are_signed_with_at_once() -> None:
    signer = Signer(host=HOST, region=REGION)
    for credentials in (ALICE, BOB, ALICE, ALICE._replace(secret_key="another"), BOB):
        _assert_as_botocore(signer, credentials, MIDNIGHT)


def test_two_signers_share_no_key() -> None:
    here, there = Signer(host=HOST, region=REGION), Signer(host=HOST, region="us-east-1")
    for _ in range(2):
        _assert_as_botocore(here, ALICE, MIDNIGHT)
        _assert_as_botocore(there, ALICE, MIDNIGHT, region="us-east-1")


@pytest.mark.parametrize("length", [1, 500, 4096])
def test_a_token_is_sent_and_signed_whatever_its_length(length: int) -> None:
    credentials = BOB._replace(token="t" * length)
    signer = Signer(host=HOST, region=REGION)
    headers = signer.sign("Scan", b"{}", credentials, MIDNIGHT).headers
    assert headers["X-Amz-Security-Token"] == credentials.token
    _assert_as_botocore(signer, credentials, MIDNIGHT)


@given(
    operation=st.sampled_from(["DescribeStream", "GetShardIterator", "GetRecords"]),
    body=st.binary(max_size=4000),
    credentials=_credentials,
    now=_days_and_moments,
)
def test_a_request_to_streams_is_signed_as_botocore_signs_it(
    operation: str, body: bytes, credentials: Credentials, now: float
) -> None:
    host = f"streams.{HOST}"
    signer = Signer(host=host, region=REGION, api_prefix=STREAMS_API_PREFIX)
    ours = signer.sign(operation, body, credentials, now).headers
    assert ours["X-Amz-Target"] == f"DynamoDBStreams_20120810.{operation}"
    assert ours == _headers_of_botocore(
        operation, body, credentials, now, host, REGION, "DynamoDBStreams_20120810"
    )


def test_without_a_token_no_token_is_sent_or_signed() -> None:
    headers = Signer(host=HOST, region=REGION).sign("Scan", b"{}", ALICE, MIDNIGHT).headers
    assert "X-Amz-Security-Token" not in headers
    assert "x-amz-security-token" not in headers["Authorization"]


@pytest.mark.parametrize("credentials", [ALICE, BOB])
def test_no_header_holds_the_secret_key(credentials: Credentials) -> None:
    headers = Signer(host=HOST, region=REGION).sign("Scan", b"{}", credentials, MIDNIGHT).headers
    assert credentials.secret_key not in repr(headers)
