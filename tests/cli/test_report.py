import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dynaferry.cli.main import run_command
from dynaferry.plan.resume_command import RecordedCommand
from dynaferry.state.sqlite.store import SqliteStore
from dynaferry.verify.certificate import iso_time
from tests.state.contract import CREATED_AT, IDENTITY, SETTINGS, VERSION, dead_letter

TABLE = {
    "source": "orders",
    "target": "orders",
    "status": "equal",
    "source_items": 9,
    "target_items": 9,
    "matching": 9,
    "missing": 0,
    "extra": 0,
    "different": 0,
    "in_flux": 0,
    "digest": "00",
    "segments_total": 4,
    "segments_compared": 4,
}


def certificate_of(tables: int = 2, **settings: Any) -> dict[str, Any]:
    """A certificate of the run's tables, of the day after it."""
    return {
        "what": "dynaferry verification",
        "status": "equal",
        "version": "1",
        "began_at": iso_time(CREATED_AT + 86_400),
        "ended_at": iso_time(CREATED_AT + 86_500),
        "tables": [
            TABLE
            | {
                "source_arn": identity.source_arn,
                "source_table_id": identity.source_table_id,
                "target_arn": identity.target_arn,
                "target_table_id": identity.target_table_id,
            }
            for identity in IDENTITY.tables[:tables]
        ],
        **settings,
    }


COMMAND = RecordedCommand(name="copy", flags={"plan": "move.toml"}, directory="/home/ann")


@pytest.fixture
async def state_dir(tmp_path: Path) -> Path:
    """A state directory with one run."""
    directory = tmp_path / "state"
    settings = replace(SETTINGS, command=COMMAND)
    store = await SqliteStore.create(directory, "orders", IDENTITY, settings, VERSION, CREATED_AT)
    await store.begin_attempt(VERSION, CREATED_AT)
    await store.add_dead_letters([dead_letter("a", message="<b>no</b>")])
    await store.end_attempt("failed", CREATED_AT + 5, ("ServiceGoneError", "it is gone", None))
    await store.aclose()
    return directory


def test_a_report_is_one_file(state_dir: Path, tmp_path: Path) -> None:
    output = tmp_path / "orders.html"
    assert run_command(["report", "--state-dir", str(state_dir), "-o", str(output)]) == 0
    page = output.read_text()
    assert "<h1>orders <span" in page
    assert "it is gone" in page
    assert "/home/ann" not in page
    assert "Next steps" in page
    assert "<code>dynaferry copy --plan move.toml</code>" in page
    assert "&lt;b&gt;no&lt;/b&gt;" in page
    assert sorted(path.name for path in tmp_path.iterdir()) == ["orders.html", "state"]


def test_a_report_shows_the_certificate_as_well(state_dir: Path, tmp_path: Path) -> None:
    certificate, output = tmp_path / "certificate.json", tmp_path / "report.html"
    certificate.write_text(json.dumps(certificate_of()))
    command = ["report", "orders", "--state-dir", str(state_dir), "-o", str(output)]
    assert run_command([*command, "--certificate", str(certificate)]) == 0
    assert "Verified: equal" in output.read_text()


def with_tables(**settings: Any) -> dict[str, Any]:
    whole = certificate_of()
    return whole | {"tables": [table | settings for table in whole["tables"]]}


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        (with_tables(source_arn="arn:aws:dynamodb:eu-west-1:1:table/tiny"), "table/tiny"),
        (with_tables(target_arn="arn:aws:dynamodb:eu-west-1:1:table/tiny"), "table/tiny"),
        (with_tables(source_table_id="another"), "another source table"),
        (certificate_of(began_at=iso_time(CREATED_AT - 60)), "before the run"),
        (certificate_of(began_at="2026-01-02T03:04:05"), "does not say"),
        (certificate_of(tables=0), "does not say"),
        (certificate_of(what="something else"), "is not understood"),
        (certificate_of(status="interrupted"), "is not understood"),
    ],
)
def test_a_certificate_that_is_not_of_this_run_is_refused(
    state_dir: Path,
    tmp_path: Path,
    certificate: dict[str, Any],
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path, output = tmp_path / "certificate.json", tmp_path / "report.html"
    path.write_text(json.dumps(certificate))
    command = ["report", "orders", "--state-dir", str(state_dir), "-o", str(output)]
    assert run_command([*command, "--certificate", str(path)]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "hint:" in said
    assert not output.exists()


@pytest.mark.parametrize(
    ("certificate", "heading"),
    [
        (certificate_of(tables=1), "Verified in part: 1 of 2 tables"),
        (certificate_of(sample_percent=10.0), "Compared: a sample of 10 %"),
        (certificate_of(status="undecided"), "Compared: undecided"),
        (with_tables(in_flux=1), "Compared: undecided"),
        (with_tables(segments_compared=3), "Compared: undecided"),
        (with_tables(missing=1), "Verified: different"),
        (with_tables(rejected=1), "Verified: different"),
    ],
)
def test_a_certificate_is_headed_for_what_it_is(
    state_dir: Path, tmp_path: Path, certificate: dict[str, Any], heading: str
) -> None:
    path, output = tmp_path / "certificate.json", tmp_path / "report.html"
    path.write_text(json.dumps(certificate))
    command = ["report", "orders", "--state-dir", str(state_dir), "-o", str(output)]
    assert run_command([*command, "--certificate", str(path)]) == 0
    assert heading in output.read_text()
    assert "Verified: equal" not in output.read_text()


@pytest.mark.parametrize("written", [None, "no JSON", '{"status": "equal"}'])
def test_what_is_no_certificate_is_refused(
    state_dir: Path, tmp_path: Path, written: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    certificate, output = tmp_path / "certificate.json", tmp_path / "report.html"
    if written is not None:
        certificate.write_text(written)
    command = ["report", "--state-dir", str(state_dir), "-o", str(output)]
    assert run_command([*command, "--certificate", str(certificate)]) == 2
    assert f"the certificate {certificate}" in capsys.readouterr().err
    assert not output.exists()


def test_a_place_that_cannot_be_written_is_refused(
    state_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "missing" / "report.html"
    assert run_command(["report", "--state-dir", str(state_dir), "-o", str(output)]) == 2
    told = capsys.readouterr().err
    assert f"error: the report {output} cannot be written: No such file or directory" in told


def test_a_run_that_is_not_there_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["report", "orders", "--state-dir", str(tmp_path)]) == 2
    assert "there is no run" in capsys.readouterr().err
