"""The charts' script is the one that was reviewed, or is not served."""

import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from dynaferry.web import assets

ROOT = Path(__file__).parents[2]


def test_the_installed_script_is_the_reviewed_one_and_of_the_version_that_is_named() -> None:
    script = assets.reviewed_charts()
    assert script is not None
    assert f"Lightweight Charts™ v{assets.CHARTS_VERSION}\n" in script[:200].decode()
    assert assets.load()["/charts.js"].body == script


@pytest.mark.parametrize("change", ["changed", "gone", "not installed"])
def test_any_other_script_is_not_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    other = tmp_path / "charts.js"
    if change == "changed":
        other.write_bytes(assets.charts_script().read_bytes() + b" ")
    if change == "not installed":
        monkeypatch.setattr(assets, "find_spec", lambda _: None)
    else:
        monkeypatch.setattr(assets, "charts_script", lambda: other)
    assert assets.load()["/charts.js"].body == assets.WITHOUT_CHARTS


def test_the_package_that_brings_it_is_pinned_exactly() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    [pinned] = [name for name in project["dependencies"] if name.startswith("litecharts")]
    assert pinned == f"litecharts=={version('litecharts')}"
    for lock in ("run", "demo", "dev"):
        assert f"\n{pinned} " in (ROOT / f"requirements/{lock}.txt").read_text(encoding="utf-8")
