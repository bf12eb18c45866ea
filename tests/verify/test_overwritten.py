"""The file of items that a repair replaced unseen."""

import json
import os
import re
import stat
from pathlib import Path

import pytest

from dynaferry.errors import StateWriteError
from dynaferry.verify.state.overwritten import OverwrittenItems

KEY = b'{"pk":{"S":"a"}}'
ITEM = b'{"pk":{"S":"a"},\n "n":{"N":"1.50"}}'


async def keep(items: OverwrittenItems) -> None:
    await items.keep("arn:target", KEY, ITEM, "why", "2026-01-02T03:04:05Z")


async def test_each_item_is_a_line_of_its_own_for_its_owner_alone(tmp_path: Path) -> None:
    items = OverwrittenItems(tmp_path, "orders")
    await keep(items)
    await keep(OverwrittenItems(tmp_path, "orders"))
    first, second = items.path.read_text().splitlines()
    assert first == second
    assert '"n":{"N":"1.50"}' in first  # in its own bytes
    assert json.loads(first) == {
        "table": "arn:target",
        "key": json.loads(KEY),
        "item": json.loads(ITEM),
        "error": {"code": "Overwritten", "message": "why"},
        "time": "2026-01-02T03:04:05Z",
    }
    assert stat.S_IMODE(items.path.stat().st_mode) == 0o600


async def test_what_a_crash_cut_short_spoils_no_other_line(tmp_path: Path) -> None:
    items = OverwrittenItems(tmp_path, "orders")
    items.path.write_bytes(b'{"table":"arn')
    await keep(items)
    assert json.loads(items.path.read_text().splitlines()[1])["key"] == json.loads(KEY)


@pytest.mark.parametrize("kind", ["link", "pipe", "directory"])
async def test_what_is_no_file_of_its_own_is_not_written_to(tmp_path: Path, kind: str) -> None:
    items, other = OverwrittenItems(tmp_path, "orders"), tmp_path / "other"
    if kind == "link":
        other.touch()
        items.path.symlink_to(other)
    elif kind == "pipe":
        os.mkfifo(items.path)
    else:
        items.path.mkdir()
    with pytest.raises(StateWriteError, match=re.escape(KEY.decode())):
        await keep(items)
    assert kind != "link" or other.read_bytes() == b""
