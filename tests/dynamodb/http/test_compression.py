"""Packed answers: asked for by the length of the line, and taken only when they are whole."""

import gzip

import msgspec
import pytest

from dynaferry.dynamodb.client import open_client
from dynaferry.dynamodb.http.compression import FAR_SECONDS, round_trip_seconds, wants_packed
from dynaferry.dynamodb.items.scan import ScanSource
from dynaferry.errors import CorruptAnswerError
from dynaferry.plan.settings import Compress
from tests.worlds.endpoint import Answer, running_endpoint
from tests.worlds.sides import session_of

PAGE = msgspec.json.encode({"Items": [{"pk": {"S": "a"}}], "Count": 1, "ScannedCount": 1})
PACKED = Answer(body=gzip.compress(PAGE), headers={"Content-Encoding": "gzip"})


@pytest.mark.parametrize(
    ("compress", "seconds", "wanted"),
    [
        ("on", 0.0, True),
        ("off", 1.0, False),
        ("auto", FAR_SECONDS, True),
        ("auto", FAR_SECONDS * 0.99, False),
        ("auto", None, False),
    ],
)
async def test_packed_responses_are_wanted_from_far_away_or_when_asked_for(
    compress: Compress, seconds: float | None, wanted: bool
) -> None:
    async def round_trip(endpoint: str) -> float | None:
        assert endpoint == "https://there.example"
        return seconds

    assert await wants_packed(compress, "https://there.example", round_trip=round_trip) is wanted


async def test_the_round_trip_is_that_of_a_connection_that_is_closed_again() -> None:
    async with running_endpoint() as endpoint:
        seconds = await round_trip_seconds(endpoint.url)
    assert seconds is not None
    assert seconds > 0
    assert endpoint.requests == []
    assert await round_trip_seconds(endpoint.url) is None  # nobody listens any more


@pytest.mark.parametrize(("accepts_gzip", "asked"), [(True, "gzip"), (False, "identity")])
async def test_a_page_is_the_same_packed_or_not(accepts_gzip: bool, asked: str) -> None:
    plain = Answer(body=PAGE)
    answers = [plain, PACKED if accepts_gzip else plain]
    async with (
        running_endpoint(*answers) as endpoint,
        open_client(
            session_of(),
            table="orders",
            endpoint=endpoint.url,
            connections=1,
            accepts_gzip=accepts_gzip,
        ) as client,
    ):
        source = ScanSource(client, table="orders", total_segments=1)
        pages = [await source.read_page(0, None) for _ in answers]
    assert [bytes(page.items[0]) for page in pages] == [b'{"pk":{"S":"a"}}'] * 2
    assert {request.headers["accept-encoding"] for request in endpoint.requests} == {asked}


async def test_a_packed_page_is_not_unpacked_before_its_checksum_is_right() -> None:
    broken = Answer(
        body=gzip.compress(PAGE), headers={"Content-Encoding": "gzip"}, checksum="wrong"
    )
    async with (
        running_endpoint(broken) as endpoint,
        open_client(session_of(), table="orders", endpoint=endpoint.url, connections=1) as client,
    ):
        with pytest.raises(CorruptAnswerError, match="failed its checksum"):
            await ScanSource(client, table="orders", total_segments=1).read_page(0, None)


async def test_behind_a_proxy_the_line_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_endpoint() as endpoint:
        monkeypatch.setenv("http_proxy", endpoint.url)
        assert await round_trip_seconds("http://dynamodb.example") is None
        assert endpoint.connections == 0
