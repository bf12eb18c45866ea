"""An interrupt beside a go: what is stored is what is told, in the exit code as well."""

import itertools
import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from dynaferry.cli.commands import cut_over
from dynaferry.cli.commands.cut_over import CUT_BACK, CUT_OVER, Way
from dynaferry.follow.asking import Answer
from dynaferry.state.move_records import Stage, TransitionReply, TransitionRequest
from dynaferry.state.sqlite.move_file import MoveFile
from dynaferry.state.sqlite.store import SqliteStore
from tests.state.contract import CREATED_AT, IDENTITY, SETTINGS, VERSION

SWITCHED: tuple[Stage, ...] = ("cutting-over", "switched")


async def store_move(state_dir: Path, stages: tuple[Stage, ...]) -> None:
    store = await SqliteStore.create(state_dir, "orders", IDENTITY, SETTINGS, VERSION, CREATED_AT)
    await store.aclose()
    file = await MoveFile.open(state_dir, "orders")
    await file.begin_move(stages[0], CREATED_AT, has_way_back=True)
    for before, stage in itertools.pairwise(stages):
        assert await file.enter(stage, before, CREATED_AT)
    await file.aclose()


@pytest.mark.parametrize(
    ("way", "stages", "code"),
    [
        (CUT_OVER, ("following",), 7),
        (CUT_OVER, SWITCHED, 0),
        (CUT_BACK, SWITCHED, 7),
        (CUT_BACK, (*SWITCHED, "going-back", "returned"), 0),
    ],
)
def test_an_interrupt_in_the_moment_of_a_go_is_no_lie(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    way: Way,
    stages: tuple[Stage, ...],
    code: int,
) -> None:
    anyio.run(store_move, tmp_path, stages)

    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(cut_over, "_asked", interrupted)
    ended = cut_over.run_cut_over(
        "orders",
        tmp_path,
        TransitionRequest(what=way.command, timeout_seconds=60.0),
        check=False,
        on_stop_writers=None,
        on_go=f"touch {tmp_path}/started",
        as_json=False,
        way=way,
    )
    said = capsys.readouterr().err
    assert ended == code
    assert ("nothing was switched" in said) == (code == 7)
    assert (tmp_path / "started").exists() == (code == 0)


def test_a_command_that_cannot_stop_the_writers_is_told_as_json_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    anyio.run(store_move, tmp_path, ("following",))
    ready = Answer(outcome="done", reply=TransitionReply(step="check", since=1.0))
    monkeypatch.setattr(cut_over, "_asked", lambda *_, **__: ready)
    ended = cut_over.run_cut_over(
        "orders",
        tmp_path,
        TransitionRequest(what="cut-over", timeout_seconds=60.0),
        check=False,
        on_stop_writers="false",
        on_go=None,
        as_json=True,
    )
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert ended == 7
    assert "nothing was switched" in said.err
    assert (document["ready"], document["outcome"]) == (False, "not ready")
    assert "--on-stop-writers" in document["not_ready"][0]
