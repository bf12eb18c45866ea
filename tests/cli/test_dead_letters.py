"""`dynaferry dead-letters`, as it is typed."""

import asyncio
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from dynaferry.cli.main import run_command
from dynaferry.state.sqlite.store import SqliteStore
from tests.state.contract import (
    CREATED_AT,
    IDENTITY,
    SETTINGS,
    VERSION,
    counters,
    dead_letter,
    segment_record,
)
from tests.worlds.moto import REGION, TARGET_EXTERNAL_ID, MotoWorld
from tests.worlds.refusals import REFUSED, refusing_marked_items

RUN = "source-0-and-more"
LETTERS = [
    *(dead_letter(f"k{n:03}", segment=1 + n // 20) for n in range(60)),
    dead_letter("of the other table", table=1),
]


@pytest.fixture
async def state_dir(tmp_path: Path) -> Path:
    """Where one run is kept, with letters of two tables, one of them not counted yet."""
    store = await SqliteStore.create(tmp_path, RUN, IDENTITY, SETTINGS, VERSION, CREATED_AT)
    await store.add_dead_letters([*LETTERS, dead_letter("beyond the watermark", page=3)])
    await store.checkpoint(0, [segment_record(n, rejected=20) for n in (1, 2, 3)], counters())
    await store.checkpoint(1, [segment_record(1, rejected=1)], counters())
    await store.aclose()
    return tmp_path


@pytest.fixture
def loose_umask() -> Iterator[None]:
    """A person's umask that hides nothing."""
    before = os.umask(0)
    yield
    os.umask(before)


def dead_letters(*arguments: str, state_dir: Path) -> int:
    return run_command(["dead-letters", *arguments, "--state-dir", str(state_dir)])


def test_list_has_a_line_for_each_letter_and_no_item(
    state_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dead_letters("list", RUN, state_dir=state_dir) == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert len(lines) == len(LETTERS)
    assert '{"pk":{"S":"k000"}}  ValidationException: no' in lines[0]
    assert "source-1" in lines[-1]
    assert "12345678901234567890" not in said.out
    assert "61 dead letters" in said.err


def test_list_json_is_one_document(state_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dead_letters("list", "--json", state_dir=state_dir) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["run"] == RUN
    assert len(document["dead_letters"]) == len(LETTERS)
    assert document["dead_letters"][0] == {
        "table": "source-0",
        "segment": 1,
        "key": {"pk": {"S": "k000"}},
        "error": {"code": "ValidationException", "message": "no"},
        "time": "2023-11-14T22:13:20Z",
    }


@pytest.mark.usefixtures("loose_umask")
def test_export_writes_a_file_that_only_its_owner_may_read(
    state_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = state_dir / "letters.jsonl"
    output.write_text("of an earlier export")
    output.chmod(0o666)
    assert dead_letters("export", RUN, "-o", str(output), state_dir=state_dir) == 0
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    lines = output.read_bytes().splitlines()
    assert len(lines) == len(LETTERS)
    assert b'"item":' + LETTERS[0].item + b"," in lines[0]
    assert capsys.readouterr().out == ""
    assert not list(state_dir.glob(".letters*"))


def test_export_goes_to_stdout_by_itself(
    state_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dead_letters("export", state_dir=state_dir) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["item"]["pk"]["S"] for line in lines] == [
        json.loads(letter.item)["pk"]["S"] for letter in LETTERS
    ]


def test_an_export_goes_into_what_is_no_plain_file(state_dir: Path) -> None:
    assert dead_letters("export", "-o", os.devnull, state_dir=state_dir) == 0
    assert not Path(os.devnull).is_file()


def test_an_export_that_cannot_be_written_is_reported_with_what_to_do(
    state_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = state_dir / "no-such-directory" / "letters.jsonl"
    assert dead_letters("export", "-o", str(output), state_dir=state_dir) == 2
    err = capsys.readouterr().err
    assert f"error: the file {output} cannot be written: No such file or directory" in err
    assert "hint: name another with -o" in err


def test_an_export_that_breaks_off_leaves_the_earlier_one(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = state_dir / "letters.jsonl"
    output.write_text("of an earlier export")

    async def break_off(*_: object) -> list[object]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SqliteStore, "read_counted_dead_letters", break_off)
    assert dead_letters("export", "-o", str(output), state_dir=state_dir) != 0
    assert output.read_text() == "of an earlier export"
    assert not list(state_dir.glob(".letters*"))


@pytest.mark.parametrize("command", ["list", "export", "replay"])
def test_a_run_that_is_not_there_is_named_with_those_that_are(
    state_dir: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert dead_letters(command, "nobody", state_dir=state_dir) == 2
    err = capsys.readouterr().err
    assert "error: there is no run 'nobody'" in err
    assert f"hint: there is {RUN}" in err


@pytest.mark.parametrize("command", ["list", "export"])
def test_what_a_repair_overwrote_is_named_beside_the_letters(
    command: str, state_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dead_letters(command, RUN, state_dir=state_dir) == 0
    assert "overwrote" not in capsys.readouterr().err
    kept = state_dir / f"{RUN}.overwritten.jsonl"
    kept.write_text("{}\n")
    assert dead_letters(command, RUN, state_dir=state_dir) == 0
    assert f"overwrote is in {kept}" in capsys.readouterr().err


def test_to_list_and_export_letters_changes_nothing(state_dir: Path) -> None:
    before = (state_dir / f"{RUN}.sqlite").read_bytes()
    dead_letters("list", state_dir=state_dir)
    dead_letters("export", "-o", os.devnull, state_dir=state_dir)
    assert (state_dir / f"{RUN}.sqlite").read_bytes() == before


# The way from a refusal to a complete run --------------------------------------------------------


@pytest.fixture
async def orders(moto_world: MotoWorld, tmp_path: Path) -> list[str]:
    """A table with two items that the target refuses; the command line that copies it."""
    await moto_world.source_tables.create_table("orders")
    await moto_world.source_tables.put_items(
        "orders",
        [{"pk": {"S": f"k{n}"}, "note": {"S": REFUSED if n < 2 else "fine"}} for n in range(20)],
    )
    await moto_world.target_tables.create_table("orders")
    url = moto_world.url
    return [
        *("copy", "orders", "orders", "--source-region", REGION, "--source-endpoint-url", url),
        *("--target-region", REGION, "--target-endpoint-url", url, "--sts-endpoint-url", url),
        *("--target-role-arn", moto_world.target.role_arn or ""),
        *("--progress", "none", "--state-dir", str(tmp_path)),
    ]


def test_from_a_refusal_to_a_complete_run_by_what_each_command_says_next(
    moto_world: MotoWorld,
    orders: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DYNAFERRY_TARGET_EXTERNAL_ID", TARGET_EXTERNAL_ID)
    with refusing_marked_items():
        assert run_command(orders) == 4
        assert "dynaferry dead-letters list orders" in capsys.readouterr().err
        assert dead_letters("replay", "--json", state_dir=tmp_path) == 4
        said = capsys.readouterr()
    document = json.loads(said.out)
    assert (document["status"], document["run_status"]) == ("rejected", "rejected")
    assert (document["written"], document["refused"], document["left"]) == (0, 2, 2)
    assert "orders: 0 written, 2 refused again, 2 dead letters left" in said.err
    assert "dynaferry dead-letters list orders says why" in said.err

    assert dead_letters("replay", "orders", state_dir=tmp_path) == 0
    err = capsys.readouterr().err
    assert "orders: 2 written, 0 refused again, 0 dead letters left" in err
    assert "20 read = 20 written + 0 rejected" in err
    source = asyncio.run(moto_world.source_tables.read_table("orders"))
    assert asyncio.run(moto_world.target_tables.read_table("orders")) == source
    assert dead_letters("list", state_dir=tmp_path) == 0
    assert "no dead letters in the run orders" in capsys.readouterr().err
    assert run_command(orders) == 0
