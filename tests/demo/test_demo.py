"""The demo: end to end as it is typed, and the parts that decide whether it may say "equal"."""

import base64
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dynaferry
from dynaferry.cli.main import run_command
from dynaferry.demo import server_process
from dynaferry.demo.accounts import only_this_machine
from dynaferry.demo.check import compare
from dynaferry.demo.installation import install_command
from dynaferry.demo.items import Item, as_sdk, canonical, key_of, make_items
from dynaferry.demo.writer import SourceWriter
from dynaferry.observe.summary import RunSummary, TableSummary
from dynaferry.run.outcome import Outcome

SOURCE = Path(dynaferry.__file__).parents[1]
# What a person may have set; a demo that used any of it would fail.
SETTINGS_OF_A_PERSON = {
    "AWS_PROFILE": "production",
    "AWS_SESSION_TOKEN": "a-real-token",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_REGION": "ap-southeast-2",
    "AWS_CONFIG_FILE": "/nowhere/config",
    "HTTP_PROXY": "http://127.0.0.1:1",
    "MOTO_ACCOUNT_ID": "999999999999",
    "DYNAFERRY_ON_END": "exit 1",
    "DYNAFERRY_TARGET_PROFILE": "production",
}


def _demo(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dynaferry", "demo", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=tmp_path,
        env={
            **SETTINGS_OF_A_PERSON,
            "PYTHONPATH": str(SOURCE),
            "HOME": str(tmp_path),
            "TMPDIR": str(tmp_path),
        },
    )


def test_the_demo_moves_a_table_that_is_written_checks_and_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    child = _demo(tmp_path, "--items", "120")
    assert child.returncode == 0, child.stderr
    (writes,) = re.findall(
        r"stops after ([\d,]+) writes: ([\d,]+) new items, ([\d,]+) changes, ([\d,]+) deletions",
        child.stderr,
    )
    total, new, _, deleted = (int(number.replace(",", "")) for number in writes)
    assert total > 20
    held = re.findall(r"(source|target)  ([\d,]+) items, all as they were written", child.stderr)
    assert [side for side, _ in held] == ["source", "target"]
    assert held[0][1] == held[1][1]
    assert abs(int(held[0][1].replace(",", "")) - (120 + new - deleted)) <= 10
    assert "orders: following" in child.stderr
    # There and back: the ten writes to the target are in both tables.
    assert child.stderr.count("   go, ") == 2, child.stderr
    assert "10 writes to the target, of which the source knows nothing" in child.stderr
    assert re.search(r"the copy: (\d+) read = \1 written \+ 0 rejected", child.stderr)
    assert "dynaferry move SOURCE TARGET" in child.stderr
    _check_the_killed_copy(child.stderr)
    assert child.stdout == ""
    assert list(tmp_path.iterdir()) == []


def _check_the_killed_copy(told: str) -> None:
    """It was killed half-way and resumed from there; or was complete first, and said so."""
    assert re.search(r"watch it at http://127\.0\.0\.1:\d+/", told)
    if killed := re.search(r"kill -9 \d+ +# ([\d,]+) items are written for good", told):
        assert 0 < int(killed[1].replace(",", "")) < 120 + 1
        assert "resuming the run orders-to-orders-copy" in told
    else:
        assert "it was complete before it could be killed" in told
        assert "already complete: the run orders-to-orders-copy" in told
    assert "orders-to-orders-copy: complete" in told


def test_the_state_is_kept_for_who_asks_and_status_can_read_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    child = _demo(tmp_path, "--items", "30", "--keep")
    assert child.returncode == 0, child.stderr
    state_dir = child.stderr.split()[-1]
    assert run_command(["status", "--state-dir", state_dir]) == 0
    assert "orders: returned" in capsys.readouterr().out


def test_without_moto_the_demo_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(server_process, "find_spec", lambda name: None if name == "moto" else name)
    assert run_command(["demo"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "error: the demo needs moto, not installed with this Python",
        f"hint: {install_command()}",
    ]


def test_tables_that_differ_are_an_error_with_code_6(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def show(*_: object, **__: object) -> tuple[Outcome, bool]:
        table = TableSummary(source="orders", target="orders", status="complete")
        summary = RunSummary(run="demo", status="complete", error=None, tables=(table,))
        return Outcome(summary), False

    monkeypatch.setattr("dynaferry.demo.show.show", show)
    assert run_command(["demo"]) == 6
    assert "error: the tables are not equal" in capsys.readouterr().err


def test_a_persons_settings_are_out_of_the_way_and_come_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in SETTINGS_OF_A_PERSON.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    with only_this_machine(tmp_path):
        assert os.environ["AWS_ACCESS_KEY_ID"] == "testing"
        assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "HTTP_PROXY"} & set(
            os.environ
        )
        assert not [name for name in os.environ if name.startswith("DYNAFERRY_")]
        assert Path(os.environ["AWS_CONFIG_FILE"]).read_text() == ""
    assert dict(os.environ) == before


def test_a_write_that_never_reached_the_target_is_a_difference() -> None:
    written = _items()
    written[4] = written[4] | {"note": {"S": "written meanwhile, 1"}}
    gone = written.pop(9)
    comparison = compare(written, _items())
    assert (comparison.missing, comparison.different, comparison.unexpected) == (0, 1, 1)
    assert "/".join(key_of(gone)) in comparison.examples


async def test_the_application_of_the_demo_knows_what_the_table_holds() -> None:
    class Table:
        def __init__(self) -> None:
            self.items = {key_of(item): as_sdk(item) for item in _items()}
            self.puts = 0

        async def put_item(self, *, TableName: str, Item: Item) -> None:  # noqa: N803
            assert TableName == "orders"
            self.items[key_of(Item)] = Item
            self.puts += 1
            if self.puts == 60:
                writer.stop()

        async def delete_item(self, *, TableName: str, Key: Item) -> None:  # noqa: N803
            assert TableName == "orders"
            del self.items[key_of(Key)]

    table = Table()
    writer = SourceWriter(table, _items())
    await writer.run()
    assert writer.written.deleted > 0
    assert compare(writer.items, table.items.values()).equal
    assert not compare(_items(), table.items.values()).equal


def _types_in(value: dict[str, object]) -> set[str]:
    ((kind, content),) = value.items()
    inner: set[str] = {kind}
    if kind == "L" and isinstance(content, list):
        inner = inner.union(*(_types_in(element) for element in content))
    if kind == "M" and isinstance(content, dict):
        inner = inner.union(*(_types_in(element) for element in content.values()))
    return inner


def test_the_items_have_every_type_and_the_values_that_copies_get_wrong() -> None:
    items = list(make_items(50))
    values = [value for item in items for value in item.values()]
    types = set[str]().union(*(_types_in(value) for value in values))
    assert types == {"S", "N", "B", "SS", "NS", "BS", "BOOL", "NULL", "L", "M"}
    assert {"S": ""} in values
    assert {"B": ""} in values
    assert any(len(value.get("N", "")) == 38 for value in values)


def test_the_same_items_are_made_each_time() -> None:
    assert list(make_items(60)) == list(make_items(60))


def _items() -> list[Item]:
    return list(make_items(30))


def test_tables_with_the_same_items_in_any_order_are_equal() -> None:
    comparison = compare(_items(), reversed(_items()))
    assert comparison.equal
    assert comparison.items == 30


def test_each_way_to_differ_is_found() -> None:
    found = _items()
    missing = found.pop(3)
    found[5] = found[5] | {"note": {"S": "changed"}}
    found.append(missing | {"order": {"N": "1000"}})
    found.append(found[0])
    comparison = compare(_items(), found)
    assert not comparison.equal
    assert (comparison.missing, comparison.different, comparison.unexpected) == (1, 1, 2)
    assert comparison.examples[0].startswith("customer-000000/")


def test_sets_have_no_order_and_lists_have_one() -> None:
    assert canonical({"a": {"SS": ["x", "y"]}}) == canonical({"a": {"SS": ["y", "x"]}})
    assert canonical({"a": {"NS": ["1", "2"]}}) == canonical({"a": {"NS": ["2", "1"]}})
    one, other = [{"S": "x"}, {"S": "y"}], [{"S": "y"}, {"S": "x"}]
    assert canonical({"a": {"L": one}}) != canonical({"a": {"L": other}})


def test_a_number_that_was_rewritten_is_a_difference() -> None:
    assert canonical({"a": {"N": "1.10"}}) != canonical({"a": {"N": "1.1"}})


@given(st.binary(max_size=40))
def test_binary_is_the_same_in_wire_form_and_in_the_sdks(content: bytes) -> None:
    text = base64.b64encode(content).decode()
    assert canonical({"a": {"B": text}}) == canonical({"a": {"B": content}})
    assert canonical({"a": {"M": {"b": {"BS": [text]}}}}) == canonical(
        {"a": {"M": {"b": {"BS": [content]}}}}
    )
