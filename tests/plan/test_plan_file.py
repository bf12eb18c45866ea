"""A plan file that makes no sense is told in the words in which it was written."""

from pathlib import Path

import pytest

from dynaferry.errors import PlanError
from dynaferry.plan.plan_file import read_plan
from dynaferry.plan.settings import TablePlan

TABLE = '[[tables]]\nsource = "orders"\ntarget = "orders"\n'


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("readers = 0\n" + TABLE, "readers in PLAN must be at least 1", None),
        ("tables_at_once = 65\n" + TABLE, "tables_at_once in PLAN must be at most 64", None),
        ("segments = 2000000\n" + TABLE, "segments in PLAN must be at most 1,000,000", None),
        (
            'readers = "8"\n' + TABLE,
            "readers in PLAN must be a whole number, not text in quotes",
            None,
        ),
        ("readers = 1.5\n" + TABLE, "readers in PLAN must be a whole number, not a fraction", None),
        (
            "max_read_units = inf\n" + TABLE,
            "max_read_units in PLAN must be a number, not inf",
            None,
        ),
        (
            TABLE + "max_read_units = inf\n",
            "max_read_units of the table orders in PLAN must be a number, not inf",
            None,
        ),
        (TABLE + "segments = 0\n", "segments of the table orders in PLAN must be at least 1", None),
        (
            TABLE + "[target]\nregion = 4\n",
            "target.region in PLAN must be text in quotes, not",
            None,
        ),
        ("source = 3\n" + TABLE, "source in PLAN must be a section, not a whole number", None),
        ("tables = [5]\n", "table 1 in PLAN must be a section, not a whole number", None),
        (TABLE + '[[tables]]\ntarget = "x"\n', "table 2 in PLAN has no source", None),
        (
            'exclude = "x*"\n' + TABLE,
            "exclude in PLAN must be a list, not text in quotes",
            None,
        ),
        (
            'on_reject = "ignore"\n' + TABLE,
            "on_reject in PLAN cannot be 'ignore'",
            "it is one of dead-letter, stop",
        ),
        (
            'compress = "zip"\n' + TABLE,
            "compress in PLAN cannot be 'zip'",
            "it is one of auto, on, off",
        ),
        ("reader = 3\n" + TABLE, "'reader' is not a key of PLAN", "did you mean 'readers'?"),
        (
            TABLE + '[source]\nregin = "x"\n',
            "'regin' is not a key of [source] in PLAN",
            "did you mean 'region'?",
        ),
        (
            TABLE + "segment = 3\n",
            "'segment' is not a key of the table orders in PLAN",
            "did you mean 'segments'?",
        ),
        (
            TABLE + '[[limits.schedule]]\nhours = "22-6"\nmax_write_units = 5\n',
            "entry 1 of limits.schedule in PLAN has the hours '22-6'",
            "write them 22:00-06:00",
        ),
        (
            TABLE + "[[limits.schedule]]\nmax_write_units = 0\n",
            "max_write_units of entry 1 of limits.schedule in PLAN must be at least 0.01",
            None,
        ),
        (
            TABLE + "max_write_units = 1e-300\n",
            "max_write_units of the table orders in PLAN must be at least 0.01",
            None,
        ),
        (
            TABLE + '[[limits.schedule]]\nmax_write_units = "lots"\n',
            "max_write_units of entry 1 of limits.schedule in PLAN cannot be 'lots'",
            'it is a number, or "none"',
        ),
        (
            TABLE + '[[limits.schedule]]\nmax_write_units = 5\nweekdays = ["sat", "sunday"]\n',
            "weekdays of entry 1 of limits.schedule in PLAN cannot be 'sunday'",
            "it is one of mon, tue, wed, thu, fri, sat, sun",
        ),
        (
            TABLE + "[[limits.schedule]]\nhour = 5\nmax_write_units = 5\n",
            "'hour' is not a key of entry 1 of limits.schedule in PLAN",
            "did you mean 'hours'?",
        ),
        (
            TABLE + '[limits]\ntime_zone = "Mars"\n',
            "limits.time_zone in PLAN 'Mars' is not a time zone",
            "it looks like Europe/Berlin or UTC",
        ),
    ],
)
def test_a_key_is_named_as_it_was_written(
    tmp_path: Path, text: str, message: str, hint: str | None
) -> None:
    path = tmp_path / "night.toml"
    path.write_text(text)
    with pytest.raises(PlanError) as caught:
        read_plan(path)
    assert caught.value.message.startswith(message.replace("PLAN", f"the plan {path}"))
    assert caught.value.hint == hint


def test_an_unknown_key_like_no_other_is_answered_with_all_there_are(tmp_path: Path) -> None:
    path = tmp_path / "night.toml"
    path.write_text("zzz = 1\n" + TABLE)
    with pytest.raises(PlanError) as caught:
        read_plan(path)
    assert "readers" in (caught.value.hint or "")


def written(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "move.toml"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_plan_is_read_as_editors_of_windows_write_it(
    tmp_path: Path, mark: bytes, line_end: str
) -> None:
    path = written(tmp_path, mark + TABLE.replace("\n", line_end).encode())
    assert read_plan(path).tables == (TablePlan("orders", "orders"),)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_a_plan_that_is_no_utf_8_is_answered_with_what_to_save_it_as(
    tmp_path: Path, encoding: str
) -> None:
    path = written(tmp_path, f"# größer\n{TABLE}".encode(encoding))
    with pytest.raises(PlanError, match="is not UTF-8 text") as caught:
        read_plan(path)
    assert str(path) in caught.value.message
    assert "save it as UTF-8" in (caught.value.hint or "")


def test_a_home_directory_in_a_plan_is_that_of_whoever_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = written(tmp_path, b'state_dir = "~/runs"\n' + TABLE.encode())
    assert read_plan(path).state_dir == tmp_path / "runs"


@pytest.mark.parametrize(
    ("state_dir", "words"),
    [
        ("5", "state_dir in the plan .* must be text in quotes, not a whole number"),
        ("[]", "state_dir in the plan .* must be text in quotes, not a list"),
        ('"a\\u0000b"', "state_dir in the plan .* is not understood: no path has a zero byte"),
    ],
)
def test_a_state_directory_that_is_no_path_is_refused(
    tmp_path: Path, state_dir: str, words: str
) -> None:
    path = written(tmp_path, f"state_dir = {state_dir}\n{TABLE}".encode())
    with pytest.raises(PlanError, match=words):
        read_plan(path)


def test_a_plan_that_nests_without_end_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, b"readers = " + b"[" * 100_000)
    with pytest.raises(PlanError, match="is not valid TOML"):
        read_plan(path)
