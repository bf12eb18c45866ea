"""A copy as a person runs it: a process of its own, Ctrl-C, `status`, the same command again."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import dynaferry
from dynaferry.cli.interrupts import FIRST_SIGNAL
from tests.worlds.moto import MotoWorld

SOURCE = Path(dynaferry.__file__).parents[1]
ITEMS = 1500


def _command(world: MotoWorld, state_dir: Path, *more: str) -> list[str]:
    return [
        *(sys.executable, "-m", "dynaferry", "copy", "orders", "orders", "--create-target"),
        *("--source-region", "us-east-1", "--source-endpoint-url", world.url),
        *("--target-region", "us-east-1", "--target-endpoint-url", world.url),
        *("--target-role-arn", str(world.target.role_arn)),
        *("--target-external-id", str(world.target.external_id)),
        *("--sts-endpoint-url", world.url, "--state-dir", str(state_dir)),
        *("--segments", "16", "--readers", "2", "--writers", "2", "--json", *more),
    ]


@contextmanager
def _started(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as child:
        try:
            yield child
        finally:
            child.kill()


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupted_copy_is_resumed_by_the_same_command(
    moto_world: MotoWorld, tmp_path: Path, which: signal.Signals
) -> None:
    await moto_world.source_tables.create_table("orders")
    await moto_world.source_tables.put_items(
        "orders", [{"pk": {"S": f"order-{i}"}} for i in range(ITEMS)]
    )
    # Slow enough to be interrupted: moto takes one unit for a batch.
    slowly = _command(moto_world, tmp_path, "--max-write-units", "5")
    with _started(slowly) as child:
        assert child.stderr is not None
        child.stderr.readline()  # a notice, which comes when the attempt has begun
        child.send_signal(which)
        out, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert FIRST_SIGNAL in err
    said = [line.strip() for line in err.splitlines()]
    resumes = next(line for line in said if line.startswith("dynaferry copy "))
    assert "--segments 16" in resumes
    assert str(moto_world.target.external_id) not in err
    assert "--target-external-id (or DYNAFERRY_TARGET_EXTERNAL_ID)" in " ".join(said)
    stopped = json.loads(out)
    assert stopped["status"] == "interrupted"
    assert stopped["tables"][0]["items_written"] < ITEMS

    status = [sys.executable, "-m", "dynaferry", "status", "--state-dir", str(tmp_path), "--json"]
    with _started(status) as child:
        out, err = child.communicate(timeout=60)
    seen = json.loads(out)
    assert seen["status"] == "interrupted"
    assert seen["tables"][0]["items_read"] == stopped["tables"][0]["items_read"]

    with _started(_command(moto_world, tmp_path)) as child:
        out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    (table,) = json.loads(out)["tables"]
    assert (table["items_read"], table["items_written"]) == (ITEMS, ITEMS)
    assert len(await moto_world.target_tables.read_items("orders")) == ITEMS
