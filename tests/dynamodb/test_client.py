"""One signed request, and an endpoint that answers right, wrong, late or not at all."""

import asyncio
import base64
import gzip
import time
import traceback
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from types import SimpleNamespace

import aiohttp.helpers
import pytest
from yarl import URL

from dynaferry import __version__
from dynaferry.dynamodb import client as wire_module
from dynaferry.dynamodb.account.session import open_account
from dynaferry.dynamodb.client import DynamoClient, open_client
from dynaferry.dynamodb.environment.settings import is_aws
from dynaferry.dynamodb.http import timeouts
from dynaferry.dynamodb.http.connection import LEAST_SECONDS, MOST_RESPONSE_BYTES
from dynaferry.dynamodb.signing import STREAMS_API_PREFIX, Signer
from dynaferry.errors import (
    AccessDeniedError,
    CorruptAnswerError,
    DynaferryError,
    ImpossibleAnswerError,
    ItemRefusedError,
    RequestRefusedError,
    TableNotFoundError,
    ThrottledError,
    UnavailableError,
)
from dynaferry.plan.settings import Account
from tests.worlds.certificates import self_signed
from tests.worlds.endpoint import (
    Answer,
    Behaviour,
    Bytes,
    Decide,
    Drop,
    Hang,
    Request,
    refusal,
    running_endpoint,
)
from tests.worlds.sides import (
    REGION,
    ROLE,
    CredentialsInTurn,
    made_up_credentials,
    session_of,
)

HOUR_SECONDS = 3600.0
EVERY_BYTE = bytes(range(256))
GZIP = {"Content-Encoding": "gzip"}
OLD, NEW = made_up_credentials(1), made_up_credentials(2)


@asynccontextmanager
async def _wire_to(
    url: str,
    credentials: CredentialsInTurn | None = None,
    *,
    connections: int = 8,
    ca_bundle: str | None = None,
) -> AsyncIterator[DynamoClient]:
    session = session_of(credentials, ca_bundle=ca_bundle)
    async with open_client(
        session, table="orders", endpoint=url, connections=connections
    ) as client:
        yield client


async def _answer_to(*behaviours: Behaviour) -> bytes:
    async with running_endpoint(*behaviours) as endpoint, _wire_to(endpoint.url) as client:
        return await client.send("Scan", b"{}")


async def _closed_port() -> str:
    async with running_endpoint() as endpoint:
        return endpoint.url


# Bytes in, bytes out ---------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"{}", EVERY_BYTE, EVERY_BYTE * 16 * 1024])
async def test_the_bytes_given_are_the_bytes_sent_and_the_bytes_sent_back_are_given(
    body: bytes,
) -> None:
    answer = body[::-1]
    async with (
        running_endpoint(Answer(body=answer)) as endpoint,
        _wire_to(endpoint.url) as client,
    ):
        assert await client.send("Scan", body) == answer
    assert [request.body for request in endpoint.requests] == [body]


async def test_a_chunked_response_is_given_whole() -> None:
    assert await _answer_to(Answer(body=EVERY_BYTE, chunked=True)) == EVERY_BYTE


@pytest.mark.parametrize("size", [1024 * 1024 - 1, 1024 * 1024, 16 * 1024 * 1024])
async def test_a_large_body_is_sent_with_its_length_and_without_a_warning(size: int) -> None:
    body = bytes(size)
    async with running_endpoint(Answer()) as endpoint, _wire_to(endpoint.url) as client:
        await client.send("BatchWriteItem", body)
    request = endpoint.requests[0]
    assert request.body == body
    assert request.headers["content-length"] == str(size)
    assert "transfer-encoding" not in request.headers


async def test_a_request_carries_the_signed_headers_and_few_others() -> None:
    async with running_endpoint(Answer()) as endpoint, _wire_to(endpoint.url) as client:
        await client.send("Scan", b'{"TableName":"orders"}')
    request = endpoint.requests[0]
    assert (request.method, request.target) == ("POST", "/")
    date = request.headers["x-amz-date"]
    signed_at = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    signer = Signer(host=endpoint.url.removeprefix("http://"), region=REGION)
    signed = signer.sign("Scan", request.body, made_up_credentials(), signed_at).headers
    assert dict(request.headers) == {name.lower(): value for name, value in signed.items()} | {
        "accept-encoding": "identity",
        "content-length": str(len(request.body)),
        "user-agent": f"dynaferry/{__version__}",
    }


@pytest.mark.parametrize(
    ("endpoint", "host"),
    [
        ("https://dynamodb.eu-central-1.amazonaws.com", "dynamodb.eu-central-1.amazonaws.com"),
        ("https://dynamodb.example:443/", "dynamodb.example"),
        ("http://LOCALHOST:8000", "localhost:8000"),
        ("http://[::1]:8000", "[::1]:8000"),
    ],
)
async def test_the_host_that_is_signed_is_the_host_as_http_writes_it(
    endpoint: str, host: str
) -> None:
    assert wire_module._host_header(URL(endpoint)) == host


# The checksum ----------------------------------------------------------------------------------


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_response_that_fails_its_checksum_is_corrupt(chunked: bool) -> None:
    with pytest.raises(CorruptAnswerError, match=r"Scan on the source table orders.*checksum"):
        await _answer_to(Answer(body=EVERY_BYTE, checksum="wrong", chunked=chunked))


async def test_a_stand_ins_response_without_a_checksum_is_taken_and_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bare = Answer(body=EVERY_BYTE, checksum="none")
    caplog.set_level("INFO", logger="dynaferry.dynamodb.client")
    async with running_endpoint(bare, bare) as endpoint, _wire_to(endpoint.url) as client:
        assert await client.send("Scan", b"{}") == EVERY_BYTE
        assert await client.send("Scan", b"{}") == EVERY_BYTE
    told = [record.message for record in caplog.records]
    assert told == [
        "responses of the source table orders come without a checksum and are taken unchecked"
    ]


async def test_aws_response_without_a_checksum_is_corrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_module, "is_aws", lambda _: True)
    with pytest.raises(CorruptAnswerError, match=r"Scan.*orders.*without its checksum"):
        await _answer_to(Answer(body=EVERY_BYTE, checksum="none"))
    assert await _answer_to(Answer(body=EVERY_BYTE)) == EVERY_BYTE
    with pytest.raises(UnavailableError):  # a balancer's own answer
        await _answer_to(Answer(body=b"<html>", status=503, checksum="none"))


async def test_one_bit_of_a_last_evaluated_key_is_corrupt_wherever_it_is() -> None:
    body = b'{"Items":[],"Count":0,"LastEvaluatedKey":{"pk":{"S":"order 17"}}}'
    crc = {"x-amz-crc32": str(zlib.crc32(body))}
    for place in range(body.index(b"LastEvaluatedKey"), len(body)):
        for bit in range(8):
            torn = bytearray(body)
            torn[place] ^= 1 << bit
            with pytest.raises(CorruptAnswerError, match="checksum"):
                await _answer_to(Answer(body=bytes(torn), headers=crc, checksum="none"))


@pytest.mark.parametrize(
    ("endpoint", "is_it"),
    [
        ("https://dynamodb.eu-central-1.amazonaws.com", True),
        ("https://111111111111.ddb.us-east-1.amazonaws.com", True),
        ("https://dynamodb.cn-north-1.amazonaws.com.cn", True),
        ("https://dynamodb.eu-west-1.api.aws", True),
        ("https://vpce-1-2.dynamodb.us-east-1.vpce.amazonaws.com", True),
        ("http://127.0.0.1:8000", False),
        ("https://amazonaws.com.example", False),
        ("https://notamazonaws.com", False),
    ],
)
def test_aws_is_known_by_its_domains(endpoint: str, is_it: bool) -> None:
    assert is_aws(URL(endpoint)) is is_it


async def _packed_answer_to(behaviour: Behaviour) -> bytes:
    async with (
        running_endpoint(behaviour) as endpoint,
        open_client(
            session_of(), table="orders", endpoint=endpoint.url, connections=1, accepts_gzip=True
        ) as client,
    ):
        return await client.send("Scan", b"{}")


async def test_the_checksum_of_a_packed_response_is_that_of_the_packed_bytes() -> None:
    packed = Answer(body=gzip.compress(EVERY_BYTE), headers={"Content-Encoding": "gzip"})
    assert await _packed_answer_to(packed) == EVERY_BYTE


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip"])
async def test_a_packed_response_that_nobody_asked_for_is_not_unpacked(encoding: str) -> None:
    packed = Answer(body=gzip.compress(EVERY_BYTE), headers={"Content-Encoding": encoding})
    with pytest.raises(ImpossibleAnswerError, match="packed"):
        await _answer_to(packed)


async def test_an_encoding_that_changes_nothing_is_none() -> None:
    plain = Answer(body=EVERY_BYTE, headers={"Content-Encoding": "identity"})
    assert await _answer_to(plain) == EVERY_BYTE


async def test_no_more_is_unpacked_than_a_response_may_have() -> None:
    most = gzip.compress(bytes(MOST_RESPONSE_BYTES), 1)
    more = gzip.compress(bytes(MOST_RESPONSE_BYTES + 1), 1)
    assert len(await _packed_answer_to(Answer(body=most, headers=GZIP))) == MOST_RESPONSE_BYTES
    with pytest.raises(CorruptAnswerError, match="longer than any"):
        await _packed_answer_to(Answer(body=more, headers=GZIP))


async def test_a_packed_response_with_the_checksum_of_what_is_in_it_is_corrupt() -> None:
    headers = {"Content-Encoding": "gzip", "x-amz-crc32": str(zlib.crc32(EVERY_BYTE))}
    with pytest.raises(CorruptAnswerError, match="checksum"):
        await _packed_answer_to(Answer(body=gzip.compress(EVERY_BYTE), headers=headers))


@pytest.mark.parametrize(
    "packed",
    [
        b"not gzip",
        gzip.compress(EVERY_BYTE)[:-9],
        gzip.compress(EVERY_BYTE) + b"behind it",
        b"",
    ],
)
async def test_a_packed_response_that_cannot_be_unpacked_is_corrupt(packed: bytes) -> None:
    with pytest.raises(CorruptAnswerError, match="unpacked"):
        await _packed_answer_to(Answer(body=packed, headers=GZIP))


async def test_a_refusal_that_fails_its_checksum_is_corrupt_and_not_a_refusal() -> None:
    torn = Answer(body=b'{"__type":"x#ValidationException"}', status=400, checksum="wrong")
    with pytest.raises(CorruptAnswerError):
        await _answer_to(torn)


# The network -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "behaviour",
    [
        Answer(body=EVERY_BYTE, cut_bytes=1),
        Answer(body=EVERY_BYTE, cut_bytes=256),
        Answer(body=EVERY_BYTE, cut_bytes=300),
        Answer(body=EVERY_BYTE, cut_bytes=1, checksum="none"),
        Answer(body=EVERY_BYTE, cut_bytes=5, checksum="none", chunked=True),
        Drop(),
        Bytes(b"this is not HTTP\r\n\r\n"),
        Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: nine\r\n\r\n123456789"),
    ],
)
async def test_a_response_that_is_cut_short_or_missing_is_unavailability(
    behaviour: Behaviour,
) -> None:
    with pytest.raises(UnavailableError, match="Scan on the source table orders"):
        await _answer_to(behaviour)


async def test_a_connection_that_is_dropped_unread_is_unavailability() -> None:
    async with running_endpoint() as endpoint, _wire_to(endpoint.url) as client:
        endpoint.drop_connections = 1
        with pytest.raises(UnavailableError):
            await client.send("Scan", b"{}")
    assert endpoint.requests == []


async def test_a_connection_that_is_refused_is_unavailability() -> None:
    url = await _closed_port()
    async with _wire_to(url) as client:
        with pytest.raises(UnavailableError, match="Scan on the source table orders"):
            await client.send("Scan", b"{}")


async def test_a_response_that_does_not_come_is_unavailability(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(timeouts, "READ_TIMEOUT_SECONDS", 0.05)
    with pytest.raises(UnavailableError, match="timed out"):
        await _answer_to(Hang())


async def test_where_no_response_comes_the_error_says_how_long_it_was_waited_for() -> None:
    class Nearly:
        seconds = 300.0

        def left(self) -> float:
            return 0.0

    async with (
        running_endpoint(Hang()) as endpoint,
        open_client(
            session_of(),
            table="orders",
            endpoint=endpoint.url,
            connections=1,
            patience=Nearly(),
        ) as client,
    ):
        with pytest.raises(UnavailableError, match="timed out") as caught:
            await client.send("Scan", b"{}")
    assert caught.value.took_seconds >= LEAST_SECONDS


@pytest.mark.parametrize("seconds", [0.1, 1.0, 20.0, 300.0, 86400.0])
def test_several_requests_fail_within_the_patience_of_a_side(seconds: float) -> None:
    class Side:
        def __init__(self) -> None:
            self.seconds = seconds

        def left(self) -> float:
            return seconds

    times = timeouts.times_for(Side())
    assert times.silence_seconds <= max(1.0, seconds / 5)
    assert times.connect_seconds <= times.silence_seconds <= 30.0
    assert times.response_seconds <= max(1.0, seconds / 2)
    assert times.left_seconds() == seconds


async def test_a_request_is_never_repeated_behind_the_retry_layers_back() -> None:
    async with running_endpoint(Answer(), Drop()) as endpoint, _wire_to(endpoint.url) as client:
        endpoint.otherwise = Answer()
        await client.send("BatchWriteItem", b"{}")
        with pytest.raises(UnavailableError):
            await client.send("BatchWriteItem", b"{}")
        assert len(endpoint.requests) == 2


async def test_the_wire_still_works_after_every_kind_of_failure() -> None:
    failures: list[Behaviour] = [
        Drop(),
        Answer(cut_bytes=1),
        Answer(checksum="wrong"),
        refusal("Unknown"),
    ]
    async with running_endpoint(*failures) as endpoint, _wire_to(endpoint.url) as client:
        endpoint.otherwise = Answer(body=b"well")
        for _ in failures:
            with pytest.raises(DynaferryError):
                await client.send("Scan", b"{}")
        assert await client.send("Scan", b"{}") == b"well"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_since_it_would_carry_credentials_elsewhere(
    status: int,
) -> None:
    async with running_endpoint() as elsewhere, running_endpoint() as endpoint:
        elsewhere.otherwise = Answer()
        endpoint.otherwise = Answer(status=status, headers={"Location": elsewhere.url})
        async with _wire_to(endpoint.url) as client:
            with pytest.raises(DynaferryError):
                await client.send("Scan", b"{}")
    assert elsewhere.requests == []


async def test_calls_in_turn_share_one_connection() -> None:
    async with running_endpoint() as endpoint, _wire_to(endpoint.url) as client:
        endpoint.otherwise = Answer(body=EVERY_BYTE)
        for _ in range(20):
            await client.send("Scan", b"{}")
    assert len(endpoint.requests) == 20
    assert endpoint.connections == 1


async def test_a_talk_has_a_connection_to_itself_until_it_ends() -> None:
    async with running_endpoint() as endpoint, _wire_to(endpoint.url, connections=2) as client:
        endpoint.otherwise = Answer(body=EVERY_BYTE)
        async with client.series("BatchWriteItem") as series:
            assert [await series.send(b"{}") for _ in range(5)] == [EVERY_BYTE] * 5
            assert endpoint.connections == 1
            await client.send("Scan", b"{}")
            assert endpoint.connections == 2
        await client.send("Scan", b"{}")
    assert endpoint.connections == 2


async def test_a_series_goes_on_over_a_new_connection_when_a_response_ended_the_old_one() -> None:
    last_answer = Answer(body=b"one", headers={"Connection": "close"})
    async with (
        running_endpoint(last_answer, Answer(body=b"two")) as endpoint,
        _wire_to(endpoint.url, connections=1) as client,
        client.series("BatchWriteItem") as series,
    ):
        assert [await series.send(b"{}"), await series.send(b"{}")] == [b"one", b"two"]
    assert endpoint.connections == 2


async def test_a_talk_that_fails_gives_its_place_to_the_next() -> None:
    async with running_endpoint(Answer(), Drop()) as endpoint:
        endpoint.otherwise = Answer(body=b"well")
        async with _wire_to(endpoint.url, connections=1) as client:
            async with client.series("BatchWriteItem") as series:
                await series.send(b"{}")
                with pytest.raises(UnavailableError):
                    await series.send(b"{}")
            assert await client.send("Scan", b"{}") == b"well"


async def test_a_talk_asks_with_the_credentials_that_its_last_renewal_gave() -> None:
    credentials = CredentialsInTurn([OLD, NEW])
    async with running_endpoint(Answer(), refusal("ExpiredTokenException")) as endpoint:
        endpoint.otherwise = Answer()
        async with (
            _wire_to(endpoint.url, credentials) as client,
            client.series("BatchWriteItem") as series,
        ):
            for _ in range(3):
                await series.send(b"{}")
    tokens = [request.headers["x-amz-security-token"] for request in endpoint.requests]
    assert tokens == [OLD.token, OLD.token, NEW.token, NEW.token]


async def test_no_more_connections_are_open_at_once_than_allowed() -> None:
    go = asyncio.Event()
    async with running_endpoint() as endpoint, _wire_to(endpoint.url, connections=3) as client:
        endpoint.otherwise = Answer(when=go)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(12):
                tasks.create_task(client.send("Scan", b"{}"))
            await endpoint.wait_for_requests(3)
            go.set()
    assert len(endpoint.requests) == 12
    assert endpoint.most_open_connections == 3


# What the service refuses ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal("ProvisionedThroughputExceededException"), ThrottledError),
        (refusal("ValidationException"), ItemRefusedError),
        (refusal("ResourceNotFoundException"), TableNotFoundError),
        (refusal("AccessDeniedException"), AccessDeniedError),
        (refusal("InternalServerError", status=500), UnavailableError),
        (Answer(body=b"<html>Bad Gateway</html>", status=502, checksum="none"), UnavailableError),
        (Answer(body=b"<html>No</html>", status=403, checksum="none"), RequestRefusedError),
    ],
)
async def test_a_refusal_is_raised_after_one_request(
    answer: Answer, error: type[DynaferryError]
) -> None:
    async with running_endpoint(answer) as endpoint, _wire_to(endpoint.url) as client:
        with pytest.raises(error):
            await client.send("BatchWriteItem", b"{}")
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize("status", [201, 202, 206, 304])
async def test_a_response_with_another_status_than_200_is_no_response(status: int) -> None:
    with pytest.raises(DynaferryError, match=f"HTTP {status}"):
        await _answer_to(Answer(body=b"" if status == 304 else b"{}", status=status))


# Credentials that expire -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "code", ["ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException"]
)
async def test_expired_credentials_are_renewed_once_and_the_request_is_sent_again(
    code: str,
) -> None:
    credentials = CredentialsInTurn([OLD, NEW])
    async with (
        running_endpoint(refusal(code), Answer(body=b"at last")) as endpoint,
        _wire_to(endpoint.url, credentials) as client,
    ):
        assert await client.send("Scan", EVERY_BYTE) == b"at last"
    assert [r.access_key for r in endpoint.requests] == [OLD.access_key, NEW.access_key]
    assert [r.headers["x-amz-security-token"] for r in endpoint.requests] == [OLD.token, NEW.token]
    assert [r.body for r in endpoint.requests] == [EVERY_BYTE, EVERY_BYTE]
    assert credentials.resolved == 2


async def test_credentials_that_expire_twice_in_a_row_are_an_access_denied() -> None:
    credentials = CredentialsInTurn([OLD, NEW])
    expired = refusal("ExpiredTokenException", "the security token has expired")
    async with (
        running_endpoint(expired, expired) as endpoint,
        _wire_to(endpoint.url, credentials) as client,
    ):
        with pytest.raises(AccessDeniedError) as caught:
            await client.send("Scan", b"{}")
    assert len(endpoint.requests) == 2
    assert credentials.resolved == 2
    assert "the security token has expired" in caught.value.message
    assert ROLE in caught.value.message


async def test_requests_that_expire_together_renew_once() -> None:
    all_here = asyncio.Event()
    credentials = CredentialsInTurn([OLD, NEW])

    def expire_the_old(request: Request) -> Answer:
        if request.access_key == OLD.access_key:
            return Answer(body=b'{"__type":"x#ExpiredTokenException"}', status=400, when=all_here)
        return Answer()

    async with (
        running_endpoint() as endpoint,
        _wire_to(endpoint.url, credentials) as client,
        asyncio.TaskGroup() as tasks,
    ):
        endpoint.otherwise = Decide(expire_the_old)
        for _ in range(6):
            tasks.create_task(client.send("Scan", b"{}"))
        await endpoint.wait_for_requests(6)
        all_here.set()
        await endpoint.wait_for_requests(12)
    assert credentials.resolved == 2
    assert len(endpoint.requests) == 12


# A clock that is wrong -------------------------------------------------------------------------


def _signed_at(request: Request) -> float:
    date = datetime.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
    return date.replace(tzinfo=UTC).timestamp()


def _service_clock(
    ahead_seconds: float, code: str = "InvalidSignatureException", when: asyncio.Event | None = None
) -> Decide:
    """A service that accepts signatures of five minutes around its own time, and says its time."""

    def check(request: Request) -> Answer:
        now = time.time() + ahead_seconds
        headers = {"Date": formatdate(now, usegmt=True)}
        if abs(_signed_at(request) - now) < 300:
            return Answer(headers=headers)
        words = refusal(code, "Signature expired")
        return Answer(body=words.body, status=words.status, headers=headers, when=when)

    return Decide(check)


@pytest.mark.parametrize("ahead_seconds", [HOUR_SECONDS, -HOUR_SECONDS])
@pytest.mark.parametrize(
    "code", ["InvalidSignatureException", "SignatureDoesNotMatch", "RequestTimeTooSkewed"]
)
async def test_a_wrong_clock_is_learnt_from_the_service_and_the_request_signed_again(
    code: str, ahead_seconds: float
) -> None:
    async with running_endpoint() as endpoint, _wire_to(endpoint.url) as client:
        endpoint.otherwise = _service_clock(ahead_seconds, code)
        assert await client.send("Scan", b"{}") == b"{}"
        assert len(endpoint.requests) == 2
        first, second = map(_signed_at, endpoint.requests)
        assert second - first == pytest.approx(ahead_seconds, abs=60)
        await client.send("Scan", b"{}")
        assert len(endpoint.requests) == 3  # the offset is known now


async def test_requests_refused_together_for_the_clock_are_all_signed_again() -> None:
    all_here = asyncio.Event()
    async with (
        running_endpoint() as endpoint,
        _wire_to(endpoint.url) as client,
        asyncio.TaskGroup() as tasks,
    ):
        endpoint.otherwise = _service_clock(HOUR_SECONDS, when=all_here)
        calls = [tasks.create_task(client.send("Scan", b"{}")) for _ in range(6)]
        await endpoint.wait_for_requests(6)
        all_here.set()
    assert [call.result() for call in calls] == [b"{}"] * 6


@pytest.mark.parametrize("date", [None, "yesterday", ""])
async def test_a_refused_signature_that_no_clock_explains_is_an_access_denied(
    date: str | None,
) -> None:
    headers = {"Date": formatdate(usegmt=True) if date is None else date}
    async with running_endpoint() as endpoint, _wire_to(endpoint.url) as client:
        endpoint.otherwise = refusal("InvalidSignatureException", "no match", headers=headers)
        with pytest.raises(AccessDeniedError) as caught:
            await client.send("Scan", b"{}")
    assert len(endpoint.requests) == 1
    assert "clock" in (caught.value.hint or "")
    assert "no match" in caught.value.message


async def test_a_signature_that_is_refused_with_the_right_clock_too_is_an_access_denied() -> None:
    headers = {"Date": formatdate(time.time() + HOUR_SECONDS, usegmt=True)}
    async with running_endpoint() as endpoint, _wire_to(endpoint.url) as client:
        endpoint.otherwise = refusal("InvalidSignatureException", headers=headers)
        with pytest.raises(AccessDeniedError):
            await client.send("Scan", b"{}")
    assert len(endpoint.requests) == 2


# TLS -------------------------------------------------------------------------------------------


async def test_a_certificate_that_is_not_trusted_stops_the_run_and_says_how_to_trust_it(
    tmp_path: Path,
) -> None:
    context, _ = self_signed(tmp_path)
    async with running_endpoint(tls=context) as endpoint, _wire_to(endpoint.url) as client:
        with pytest.raises(RequestRefusedError, match="certificate is not trusted") as caught:
            await client.send("Scan", b"{}")
    assert "AWS_CA_BUNDLE" in (caught.value.hint or "")
    assert endpoint.requests == []


async def test_the_certificates_of_the_environment_are_trusted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    context, bundle = self_signed(tmp_path)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
    async with running_endpoint(tls=context) as endpoint:
        endpoint.otherwise = Answer(body=b"trusted")
        account = Account(region=REGION, endpoint_url=endpoint.url)
        async with (
            open_account(account, "source") as session,
            open_client(session, table="orders", endpoint=endpoint.url, connections=1) as client,
        ):
            assert await client.send("Scan", b"{}") == b"trusted"


async def test_certificates_that_are_not_there_are_an_error_and_not_a_crash(
    tmp_path: Path,
) -> None:
    with pytest.raises(DynaferryError, match=r"nowhere\.pem"):
        async with _wire_to("https://127.0.0.1:1", ca_bundle=str(tmp_path / "nowhere.pem")):
            pass


# The environment -------------------------------------------------------------------------------


async def test_a_proxy_of_the_environment_is_looked_up_once_and_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running_endpoint() as proxy:
        proxy.otherwise = Answer(body=b"by proxy")
        monkeypatch.setenv("http_proxy", proxy.url)
        async with _wire_to("http://dynamodb.example:8000") as client:
            monkeypatch.delenv("http_proxy")
            for _ in range(2):
                assert await client.send("Scan", b"{}") == b"by proxy"
    targets = [request.target.rstrip("/") for request in proxy.requests]
    assert targets == ["http://dynamodb.example:8000"] * 2
    assert proxy.requests[0].headers["host"] == "dynamodb.example:8000"


async def test_a_response_through_a_proxy_is_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_endpoint(Answer(body=bytes(2000)), Answer(body=bytes(500))) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setattr("dynaferry.dynamodb.http.proxied.MOST_RESPONSE_BYTES", 1000)
        async with _wire_to("http://dynamodb.example:8000") as client:
            with pytest.raises(UnavailableError, match="longer than any"):
                await client.send("Scan", b"{}")
            assert await client.send("Scan", b"{}") == bytes(500)


async def test_a_response_through_a_proxy_that_does_not_come_is_unavailability(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(timeouts, "READ_TIMEOUT_SECONDS", 0.05)
    async with running_endpoint(Hang()) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        async with _wire_to("http://dynamodb.example:8000") as client:
            with pytest.raises(UnavailableError, match="timed out"):
                await client.send("Scan", b"{}")


async def test_an_https_endpoint_is_reached_through_a_tunnel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running_endpoint() as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        proxy.otherwise = Answer(status=502, body=b"")
        async with _wire_to("https://dynamodb.example") as client:
            with pytest.raises(UnavailableError):
                await client.send("Scan", b"{}")
    request = proxy.requests[0]
    assert (request.method, request.target) == ("CONNECT", "dynamodb.example:443")
    assert "authorization" not in request.headers


@pytest.mark.parametrize("exempt", ["127.0.0.1", "*"])
async def test_a_host_that_is_exempt_from_the_proxy_is_reached_directly(
    monkeypatch: pytest.MonkeyPatch, exempt: str
) -> None:
    monkeypatch.setenv("http_proxy", await _closed_port())
    monkeypatch.setenv("no_proxy", exempt)
    assert await _answer_to(Answer(body=b"direct")) == b"direct"


async def test_streams_go_by_the_proxy_of_their_own_host_and_not_by_that_of_the_tables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = session_of()
    session.client = SimpleNamespace(meta=SimpleNamespace(endpoint_url="http://tables.example"))
    async with running_endpoint(Answer(body=b"by proxy")) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "tables.example")  # as for a gateway endpoint in a VPC
        async with open_client(
            session,
            table="orders",
            endpoint="http://streams.example",
            connections=1,
            api_prefix=STREAMS_API_PREFIX,
        ) as client:
            assert await client.send("DescribeStream", b"{}") == b"by proxy"


async def test_a_proxy_without_a_scheme_is_an_http_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running_endpoint(Answer(body=b"by proxy")) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.removeprefix("http://"))
        async with _wire_to("http://dynamodb.example") as client:
            assert await client.send("Scan", b"{}") == b"by proxy"


async def test_a_proxy_is_sent_the_user_and_password_that_the_environment_gives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running_endpoint(Answer(body=b"by proxy"), Answer(status=502)) as proxy:
        with_user = proxy.url.replace("//", "//me:p%40ss@")
        monkeypatch.setenv("http_proxy", with_user)
        monkeypatch.setenv("https_proxy", with_user)
        async with _wire_to("http://dynamodb.example") as client:
            assert await client.send("Scan", b"{}") == b"by proxy"
        async with _wire_to("https://dynamodb.example") as client:
            with pytest.raises(UnavailableError):
                await client.send("Scan", b"{}")
    plain, tunnel = proxy.requests
    basic = f"Basic {base64.b64encode(b'me:p@ss').decode()}"
    assert plain.headers["proxy-authorization"] == basic
    assert plain.access_key == made_up_credentials().access_key
    assert tunnel.headers["proxy-authorization"] == basic


async def test_a_large_body_goes_through_a_proxy_and_a_large_response_comes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    body, answer = EVERY_BYTE * 8192, EVERY_BYTE * 4096
    async with running_endpoint(Answer(body=answer, chunked=True)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        async with _wire_to("http://dynamodb.example") as client:
            assert await client.send("BatchWriteItem", body) == answer
    assert proxy.requests[0].body == body


async def test_netrc_is_never_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("default login somebody password netrc-secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))
    reads: list[str] = []
    real = aiohttp.helpers.netrc_from_env

    def netrc_from_env() -> object:
        reads.append("read")
        return real()

    for module in (aiohttp.helpers, aiohttp.client):
        if hasattr(module, "netrc_from_env"):
            monkeypatch.setattr(module, "netrc_from_env", netrc_from_env)
    async with running_endpoint(Answer()) as endpoint, _wire_to(endpoint.url) as client:
        await client.send("Scan", b"{}")
    assert endpoint.requests[0].access_key == made_up_credentials().access_key
    assert reads == []


# Secrets ---------------------------------------------------------------------------------------


def _everything_in(error: BaseException) -> str:
    """All that a traceback, a log or a crash report would show of the error and its causes."""
    shown = "".join(traceback.format_exception(error))
    hint = getattr(error, "hint", None)
    return f"{shown} {error} {error!r} {hint}"


@pytest.mark.parametrize(
    "behaviour",
    [
        Drop(),
        Answer(cut_bytes=1),
        Answer(checksum="wrong"),
        Bytes(b"not HTTP\r\n\r\n"),
        Answer(status=302, headers={"Location": "/"}),
        refusal("AccessDeniedException"),
        refusal("ExpiredTokenException"),
        refusal("InvalidSignatureException"),
        refusal("ThrottlingException"),
        refusal("NoSuchCode"),
        Answer(body=b"<html></html>", status=500),
    ],
)
async def test_no_error_holds_a_credential(behaviour: Behaviour) -> None:
    async with running_endpoint() as endpoint, _wire_to(endpoint.url) as client:
        endpoint.otherwise = behaviour
        with pytest.raises(DynaferryError) as caught:
            await client.send("Scan", b"{}")
    shown = _everything_in(caught.value)
    for secret in made_up_credentials():
        assert secret is not None
        assert secret not in shown


async def _refuse_the_tunnel(request: Request) -> Answer:
    return Answer(status=407, body=b"")


@pytest.mark.parametrize("proxy_is_there", [True, False])
async def test_no_error_holds_the_password_of_a_proxy(
    monkeypatch: pytest.MonkeyPatch, proxy_is_there: bool
) -> None:
    async with running_endpoint() as proxy:
        proxy.otherwise = Decide(_refuse_the_tunnel)
        url = proxy.url if proxy_is_there else await _closed_port()
        monkeypatch.setenv("https_proxy", url.replace("//", "//me:proxy-secret@"))
        async with _wire_to("https://dynamodb.example") as client:
            with pytest.raises(DynaferryError) as caught:
                await client.send("Scan", b"{}")
    assert "proxy-secret" not in _everything_in(caught.value)


@pytest.mark.parametrize("token", ["token\n", "to\r\nX-Injected: yes", "t\u00f6ken"])
async def test_a_token_that_no_header_may_hold_is_refused_and_not_shown(token: str) -> None:
    pasted = made_up_credentials()._replace(token=token)
    async with (
        running_endpoint() as endpoint,
        _wire_to(endpoint.url, CredentialsInTurn([pasted])) as client,
    ):
        with pytest.raises(AccessDeniedError, match="cannot be sent in a header") as caught:
            await client.send("Scan", b"{}")
    assert endpoint.requests == []
    assert token not in _everything_in(caught.value)


def test_credentials_do_not_show_themselves() -> None:
    credentials = made_up_credentials()
    shown: list[Callable[[object], str]] = [repr, str, "{}".format, "{!r}".format]
    for show in shown:
        for secret in credentials:
            assert secret is not None
            assert secret not in show(credentials)
