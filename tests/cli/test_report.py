from pathlib import Path

import pytest

from dynaferry.cli.main import run_command
from dynaferry.state.sqlite import SqliteStore
from tests.state.contract import CREATED_AT, IDENTITY, SETTINGS, VERSION, dead_letter

CERTIFICATE = """{"status": "equal", "version": "1", "tables": [{"source": "orders", "target":
"orders", "source_items": 9, "target_items": 9, "matching": 9, "missing": 0, "extra": 0,
"different": 0, "in_flux": 0, "digest": "00"}]}"""


@pytest.fixture
async def state_dir(tmp_path: Path) -> Path:
    """A state directory with one run."""
    directory = tmp_path / "state"
    store = await SqliteStore.create(directory, "orders", IDENTITY, SETTINGS, VERSION, CREATED_AT)
    await store.begin_attempt(VERSION, CREATED_AT)
    await store.add_dead_letters([dead_letter("a", message="<b>no</b>")])
    await store.end_attempt("failed", CREATED_AT + 5, ("ServiceGoneError", "it is gone", None))
    await store.aclose()
    return directory


def test_a_report_is_one_file(state_dir: Path, tmp_path: Path) -> None:
    output = tmp_path / "orders.html"
    assert run_command(["report", "--state-dir", str(state_dir), "-o", str(output)]) == 0
    page = output.read_text()
    assert "<h1>orders</h1>" in page
    assert "it is gone" in page
    assert "&lt;b&gt;no&lt;/b&gt;" in page
    assert sorted(path.name for path in tmp_path.iterdir()) == ["orders.html", "state"]


def test_a_certificate_is_told_as_well(state_dir: Path, tmp_path: Path) -> None:
    certificate, output = tmp_path / "certificate.json", tmp_path / "report.html"
    certificate.write_text(CERTIFICATE)
    command = ["report", "orders", "--state-dir", str(state_dir), "-o", str(output)]
    assert run_command([*command, "--certificate", str(certificate)]) == 0
    assert "Verified: equal" in output.read_text()


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
