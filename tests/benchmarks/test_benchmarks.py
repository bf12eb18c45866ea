"""The benchmark program: its endpoint, its figures, and that what it shows is what was kept."""

import re
import sys
import zlib
from html.parser import HTMLParser
from unittest.mock import Mock

import msgspec
import pytest

from benchmarks import report, results, table, watched
from benchmarks.contestants import DYNAFERRY, FLOOR, PEERS, Contestant
from benchmarks.null_endpoint import SCAN, Connection, Tables
from benchmarks.process import run
from benchmarks.results import Middle, Results, Run, StartUp

KEPT = results.read()


def made_up(contestant: str, number: int = 0, *, part: str = "speed", **fields: float) -> Run:
    values = {
        "item_bytes": 1024,
        "items": 1000,
        "requests": 50,
        "cpu_seconds": 1.0,
        "wall_seconds": 1.0,
        "peak_bytes": 100 * 1024**2,
        "items_per_tick": (400, 600),
    }
    return Run(part=part, contestant=contestant, round=number, **{**values, **fields})  # type: ignore[arg-type]


# What is shown is what was kept ----------------------------------------------------------------


def test_the_pages_table_is_the_kept_results() -> None:
    text = table.PAGE.read_text()
    assert table.in_place(text, KEPT) == text, "run `python -m benchmarks report`"
    assert DYNAFERRY.title in text.partition("<!-- benchmark -->")[2]


def test_the_kept_results_hold_no_path_and_no_name_of_a_machine() -> None:
    text = results.LATEST.read_text()
    assert "/" not in text
    assert msgspec.json.decode(text, type=Results, strict=True) == KEPT


class _Addresses(HTMLParser):
    """What a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("src", "href", "xlink:href") and not (value or "").startswith("#"):
                self.found.append(value or "")


def test_the_report_is_one_file_that_fetches_nothing() -> None:
    kept = Results(
        runs=[
            made_up(DYNAFERRY.name),
            made_up("aioboto3", cpu_seconds=40.0),
            made_up(DYNAFERRY.name, part="writers", setting=8),
            made_up(DYNAFERRY.name, part="segments", setting=100),
        ]
    )
    page = report.page(kept)
    addresses = _Addresses()
    addresses.feed(page)
    assert addresses.found == []
    assert "url(http" not in page
    assert "@import" not in page
    assert page.count("<svg") == 5
    assert "1,000" in page


def test_the_report_shows_a_result_that_has_only_some_parts() -> None:
    page = report.page(Results(runs=[made_up(DYNAFERRY.name, part="writers", setting=8)]))
    assert page.count("<svg") == 1


# The figures -----------------------------------------------------------------------------------


def test_ratios_are_taken_round_by_round_and_the_middle_one_is_reported() -> None:
    ours = [made_up("dynaferry", number, cpu_seconds=1.0) for number in range(3)]
    theirs = [
        made_up("aioboto3", number, cpu_seconds=seconds)
        for number, seconds in enumerate((32, 64, 40))
    ]
    assert results.paired(ours, theirs, table.rate) == Middle(40.0, 32.0, 64.0)
    assert results.paired(ours, [], table.rate) is None


def test_the_cost_of_tls_is_what_it_adds_to_the_cpu_time_of_an_item() -> None:
    kept = Results(
        runs=[
            made_up("dynaferry", part="tls", cpu_seconds=2.0),
            made_up("dynaferry+tls", part="tls", cpu_seconds=2.5),
        ]
    )
    assert table.tls_cost(kept) == Middle(0.25, 0.25, 0.25)


def test_a_contestant_that_could_not_run_is_named_with_the_reason() -> None:
    kept = Results(runs=[made_up("dynaferry")], skipped={"npm": "node and npm are not there"})
    assert "- Not measured: npm, since node and npm are not there." in table.lines(kept)
    assert not any(PEERS[2].title in line for line in table.lines(kept) if line.startswith("|"))


def test_a_part_that_is_measured_anew_takes_the_place_of_the_earlier() -> None:
    kept = Results(runs=[made_up("dynaferry"), made_up("dynaferry", part="tls")])
    kept.replace_part("tls", [made_up("floor", part="tls")])
    assert [(run.part, run.contestant) for run in kept.runs] == [
        ("speed", "dynaferry"),
        ("tls", "floor"),
    ]


def test_start_up_is_reported_by_its_medians() -> None:
    kept = Results(
        start_up=StartUp(help_seconds=(0.1, 0.2, 0.9), first_scan_seconds=(0.5, 0.6, 0.7))
    )
    (line,) = [line for line in table.lines(kept) if "--help" in line]
    assert "0.20 s" in line
    assert "0.60 s" in line


# The null endpoint -----------------------------------------------------------------------------


def _answer_of(answer: bytes) -> dict[str, object]:
    """The decoded body of a whole answer, whose frame and checksum hold."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\nContent-Length: %d\r\n" % len(body) in head + b"\r\n"
    assert b"\r\nx-amz-crc32: %d\r\n" % zlib.crc32(body) in head
    decoded: dict[str, object] = msgspec.json.decode(body)
    return decoded


def _scan(tables: Tables, **fields: object) -> dict[str, object]:
    body = bytearray(msgspec.json.encode({"TableName": "bench-source", **fields}))
    return _answer_of(b"".join(tables.answer(SCAN, body, 0, len(body))))


@pytest.mark.parametrize(
    "fields", [{}, {"Limit": 25}, {"Limit": 7, "TotalSegments": 3, "Segment": 1}]
)
def test_a_scan_of_the_null_table_gives_every_page_once_and_ends(fields: dict[str, int]) -> None:
    tables = Tables(item_bytes=10_240, pages=5)
    segments = fields.get("TotalSegments", 1)
    count = 0
    for segment in range(segments):
        where = {**fields, "Segment": segment} if segments > 1 else fields
        page = _scan(tables, **where)
        while True:
            items = page["Items"]
            assert isinstance(items, list)
            assert page["Count"] == len(items)
            count += len(items)
            if "LastEvaluatedKey" not in page:
                break
            page = _scan(tables, **where, ExclusiveStartKey=page["LastEvaluatedKey"])
    assert count == tables.items == 5 * 102


def test_the_null_target_is_empty() -> None:
    body = bytearray(b'{"TableName":"bench-target","Limit":1}')
    answer = Tables(1024, 3).answer(SCAN, body, 0, len(body))
    assert _answer_of(b"".join(answer))["Items"] == []


@pytest.mark.parametrize("piece", [1, 7, 1_000, 200_000])
def test_requests_to_the_null_endpoint_may_come_in_any_pieces(piece: int) -> None:
    sent: list[bytes] = []
    tables = Tables(1024, 3)
    connection = Connection(tables, wait_seconds=0.0)
    connection.connection_made(Mock(writelines=sent.extend))
    head = "POST / HTTP/1.1\r\nX-Amz-Target: DynamoDB_20120810.{}\r\nContent-Length: {}\r\n\r\n"
    stream = b""
    for operation, body in (
        ("BatchWriteItem", b'{"PutRequest":{"Item":{"pk":"%b"}}}' % (b"x" * 150_000)),
        ("Scan", b'{"TableName":"bench-source","Limit":2}'),
        ("BatchWriteItem", b'{"PutRequest":{}},{"PutRequest":{}}'),
    ):
        stream += head.format(operation, len(body)).encode() + body
    for at in range(0, len(stream), piece):
        _feed(connection, stream[at : at + piece])
    assert tables.requests == {"BatchWriteItem": 2, "Scan": 1}
    assert tables.items_written == 3
    answers = re.split(rb"(?=HTTP/1.1 200)", b"".join(sent))[1:]
    assert [_answer_of(answer).get("Count") for answer in answers] == [None, 2, None]


def _feed(connection: Connection, data: bytes) -> None:
    while data:
        room = connection.get_buffer(-1)
        taken = data[: len(room)]
        room[: len(taken)] = taken
        connection.buffer_updated(len(taken))
        data = data[len(taken) :]


@pytest.mark.parametrize("contestant", [DYNAFERRY, FLOOR, PEERS[0], PEERS[1]], ids=lambda c: c.name)
def test_each_contestant_writes_the_whole_null_table(contestant: Contestant) -> None:
    done = run(contestant, part="speed", item_bytes=10_240, pages=2)
    assert done.items == 2 * 102
    assert done.requests >= 2 + 2 * 102 / 25
    assert done.cpu_seconds > 0
    assert sum(done.items_per_tick) <= done.items


def test_a_contestant_that_fails_is_an_error_and_not_a_figure() -> None:
    failing = FLOOR._replace(command=lambda _: [sys.executable, "-c", "raise SystemExit('no way')"])
    with pytest.raises(RuntimeError, match="no way"):
        run(failing, part="speed", item_bytes=1024, pages=1)


def test_a_contestant_that_leaves_items_out_is_an_error_and_not_a_figure() -> None:
    lazy = FLOOR._replace(command=lambda _: [sys.executable, "-c", "pass"])
    with pytest.raises(RuntimeError, match="did not write"):
        run(lazy, part="speed", item_bytes=1024, pages=1)


# What it costs to be watched ------------------------------------------------------------------


def test_a_scrape_with_ten_thousand_segments_takes_less_than_twenty_milliseconds() -> None:
    assert watched.scrape_seconds() < 0.020


def test_a_watched_copy_copies_the_same_and_its_page_is_sent_updates() -> None:
    alone, seen = watched.copied(2, watched=False), watched.copied(2, watched=True)
    assert alone.items == seen.items == 2 * 1024
    assert (alone.news, seen.news > 0) == (0, True)
