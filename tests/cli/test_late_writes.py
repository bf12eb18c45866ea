"""`dynaferry late-writes`, as it is typed, while the move goes on and after its end."""

import asyncio
import json
import stat
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from dynaferry.cli.main import run_command
from dynaferry.follow import spool_late_writes
from dynaferry.follow.lineage import Gap
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.state.directory import spool_path, way_back_path
from dynaferry.state.sqlite.store import SqliteStore
from tests.follow.changes import change, image_of, key_named
from tests.state.contract import CREATED_AT, IDENTITY, SETTINGS, VERSION

RUN = "orders"
NUMBERS = b'{"pk":{"S":"k"},\n "n":{"N":"12345678901234567890123456789012345678"}}'


async def create(state_dir: Path, move: str | None) -> None:
    identity = replace(IDENTITY, move=move)
    store = await SqliteStore.create(state_dir, RUN, identity, SETTINGS, VERSION, CREATED_AT)
    await store.aclose()


def make_run(state_dir: Path, move: str | None = "an-id") -> None:
    """A run of two tables."""
    asyncio.run(create(state_dir, move))


def spooled(state_dir: Path, table: int) -> SpoolFile:
    """A spool whose table is watched for late writes."""
    spool = SpoolFile.create(spool_path(state_dir, RUN, table), "id")
    spool.change(partial(spool_late_writes.begin, at=CREATED_AT))
    return spool


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    """Where a move of two tables is kept, with late writes of both."""
    make_run(tmp_path)
    first, second = spooled(tmp_path, 0), spooled(tmp_path, 1)
    many = [change(f"k{number:03}", 1) for number in range(130)]
    first.store(many, (), CREATED_AT + 1)
    first.store([replace(change("gone", None), is_expiry=True)], (), CREATED_AT + 2)
    second.store([change("a", 1), change("b", None)], (), CREATED_AT + 3)
    second.store([change("a", 2), change("c", 1, view="KEYS_ONLY")], (), CREATED_AT + 5)
    second.store((), (), CREATED_AT + 6, gaps=[Gap("", "the stream was trimmed")])
    first.close()
    second.close()
    return tmp_path


def late_writes(*arguments: str, state_dir: Path) -> int:
    return run_command(["late-writes", *arguments, "--state-dir", str(state_dir)])


def test_list_has_a_line_for_each_key_and_says_what_is_none_and_what_may_be_missing(
    state_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert late_writes("list", RUN, state_dir=state_dir) == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert len(lines) == 133
    assert lines[0] == '2023-11-14T22:13:21Z  source-0  {"pk":{"S":"k000"}}  put'
    assert lines[130:] == [
        '2023-11-14T22:13:25Z  source-1  {"pk":{"S":"a"}}  put, 2 writes',
        '2023-11-14T22:13:23Z  source-1  {"pk":{"S":"b"}}  deleted',
        '2023-11-14T22:13:25Z  source-1  {"pk":{"S":"c"}}  changed',
    ]
    assert "133 keys; nothing applies them" in said.err
    assert "source-0: 1 items were deleted since their time to live was over" in said.err
    assert "there may be more late writes: the stream was trimmed" in said.err


def test_list_json_is_one_document_without_items(
    state_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert late_writes("list", "--json", state_dir=state_dir) == 0
    document = json.loads(capsys.readouterr().out)
    assert set(document) == {"run", "late_writes", "expired", "lost"}
    assert (document["run"], document["expired"]) == (RUN, 1)
    assert document["lost"] == ["the stream was trimmed"]
    assert len(document["late_writes"]) == 133
    assert document["late_writes"][130] == {
        "table": "source-1",
        "side": "source",
        "key": {"pk": {"S": "a"}},
        "change": "put",
        "writes": 2,
        "first_at": "2023-11-14T22:13:23Z",
        "last_at": "2023-11-14T22:13:25Z",
    }


@pytest.fixture
def exported(state_dir: Path, tmp_path: Path) -> list[dict[str, object]]:
    output = tmp_path / "late.jsonl"
    assert late_writes("export", "-o", str(output), state_dir=state_dir) == 0
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    return [json.loads(line) for line in output.read_text().splitlines()]


def test_export_has_each_item_as_the_stream_gave_it_last(
    exported: list[dict[str, object]],
) -> None:
    assert len(exported) == 133
    items = {
        json.dumps(each["key"]): each["item"] for each in exported if each["table"] == "source-1"
    }
    assert items == {
        json.dumps(json.loads(key_named("a"))): json.loads(image_of("a", 2)),
        json.dumps(json.loads(key_named("b"))): None,
        json.dumps(json.loads(key_named("c"))): None,
    }


def test_what_was_written_to_a_target_behind_a_way_back_is_told_as_such(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(tmp_path)
    for make, name in ((spool_path, "s"), (way_back_path, "t")):
        spool = SpoolFile.create(make(tmp_path, RUN, 1), "id")
        spool.change(partial(spool_late_writes.begin, at=CREATED_AT))
        spool.store([change(name, 1)], (), CREATED_AT)
        spool.close()
    assert late_writes("list", state_dir=tmp_path) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith('  source-1  {"pk":{"S":"s"}}  put')
    assert second.endswith('  the target target-1  {"pk":{"S":"t"}}  put')
    assert late_writes("export", state_dir=tmp_path) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["table"], line["side"]) for line in lines] == [
        ("source-1", "source"),
        ("target-1", "target"),
    ]


def test_an_item_is_exported_byte_for_byte_on_one_line(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    make_run(tmp_path)
    spool = spooled(tmp_path, 0)
    spool.store([replace(change("k", 1), image=NUMBERS)], (), CREATED_AT)
    spool.close()
    assert late_writes("export", state_dir=tmp_path) == 0
    (line,) = capsysbinary.readouterr().out.splitlines()
    assert line.endswith(b'"item":' + NUMBERS.replace(b"\n", b" ") + b"}")


def test_a_run_without_any_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(tmp_path)
    assert late_writes("list", "--json", state_dir=tmp_path) == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == {"run": RUN, "late_writes": [], "expired": 0, "lost": []}
    assert "no late writes in the run orders" in said.err
    spooled(tmp_path, 0).close()
    assert late_writes("export", state_dir=tmp_path) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("what", ["list", "export"])
def test_a_run_that_never_was_a_move_has_no_list(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    make_run(tmp_path, move=None)
    assert late_writes(what, state_dir=tmp_path) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert "the run orders is a copy, and no move" in said.err
    assert "dynaferry verify says what differs" in said.err


def test_a_spool_that_cannot_be_read_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(tmp_path)
    spool_path(tmp_path, RUN, 0).write_bytes(b"no spool" * 1000)
    assert late_writes("list", state_dir=tmp_path) != 0
    assert "damaged" in capsys.readouterr().err


def test_a_run_that_is_not_there_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert late_writes("list", "nothing", state_dir=tmp_path) == 2
