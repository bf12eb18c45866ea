from pathlib import Path

import msgspec
import pytest

import benchmarks.simulator as simulator_package
from benchmarks.simulator.settings import (
    BrownOut,
    Change,
    Index,
    LostAnswers,
    OnDemand,
    Provisioned,
    Settings,
    Stream,
    Table,
    read_settings,
    validate,
)

SETTINGS = Settings(
    tables=(
        Table(
            name="orders",
            items=10,
            item_bytes=(200, 1024),
            capacity=Provisioned(write_units=10, read_units=20),
            indexes=(Index(name="by-owner", capacity=OnDemand(doubling_seconds=5)),),
            changes=(Change(at_seconds=3, write_units=5, index="by-owner"),),
            brown_outs=(BrownOut(start_seconds=1, seconds=2, answer="503"),),
        ),
    )
)


def test_settings_go_through_a_json_file_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_bytes(msgspec.json.encode(SETTINGS))
    assert read_settings(path) == SETTINGS


def test_settings_can_be_written_in_toml(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(
        "[[tables]]\n"
        'name = "orders"\n'
        "items = 10\n"
        'capacity = {mode = "on-demand", doubling_seconds = 5}\n'
    )
    (table,) = read_settings(path).tables
    assert table == Table(name="orders", items=10, capacity=OnDemand(doubling_seconds=5))


@pytest.mark.parametrize(
    ("tables", "word"),
    [
        ((Table(name="orders"), Table(name="orders")), "twice"),
        ((Table(name="orders", items_per_key=2),), "sort_key"),
        ((Table(name="orders", hot_key_share=0.3),), "sort_key"),
        ((Table(name="orders", changes=(Change(index="gone"),)),), "no index"),
        ((Table(name="orders", item_bytes=1),), "64"),
        ((Table(name="orders", stale_read_seconds=1),), "keeps_items"),
        ((Table(name="orders", lost_answers=LostAnswers(share=0.1)),), "keeps_items"),
        ((Table(name="orders", stream=Stream(delay_seconds=(2, 1))),), "delay_seconds"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tables: tuple[Table, ...], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        validate(Settings(tables=tables))


def test_a_key_that_is_not_a_setting_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text('{"tables": [{"name": "orders", "itmes": 5}]}')
    with pytest.raises(ValueError, match="itmes"):
        read_settings(path)


def test_the_settings_that_the_readme_shows_are_understood(tmp_path: Path) -> None:
    readme = Path(simulator_package.__file__).with_name("README.md").read_text()
    path = tmp_path / "settings.json"
    shown = readme.split("```json\n")[1:]
    for settings in shown:
        path.write_text(settings.partition("```")[0])
        assert [table.name for table in read_settings(path).tables] == ["source", "target"]
    assert len(shown) == 2
