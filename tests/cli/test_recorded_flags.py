"""The flags of a command as they are kept and said again: nothing gets lost on the way."""

from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import typer
from msgspec.structs import replace

from dynaferry.cli.app.copy import copy
from dynaferry.cli.app.move import move
from dynaferry.cli.flags import CopyFlags, MoveFlags, flags_of, invocation_of
from dynaferry.cli.main import app, run_command
from dynaferry.errors import PlanError
from dynaferry.plan.resume_command import SECRET_FLAGS, RecordedCommand, arguments_of

Flags = CopyFlags | MoveFlags
# Not of a command that is begun again.
NOT_SAID_AGAIN = (*SECRET_FLAGS, "restart", "restart_table", "dry_run", "forward")


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[Flags]:
    """The flags of each copy or move that was typed, which does nothing."""
    seen: list[Flags] = []

    def run(flags: Flags) -> int:
        seen.append(flags)
        return 0

    monkeypatch.setattr("dynaferry.cli.commands.copy.run_copy", run)
    monkeypatch.setattr("dynaferry.cli.commands.move.run_move", run)
    return seen


def _words(param: Any, kind: object, *, negative: bool) -> list[str]:
    """A way to type this parameter, which is of this kind."""
    if param.param_type_name == "argument":
        return [f"a-{param.name}"]
    kinds = get_args(kind) or (kind,)
    if bool in kinds:
        return [param.secondary_opts[0] if negative and param.secondary_opts else param.opts[0]]
    for each in kinds:
        if isinstance(each, type) and issubclass(each, Enum):
            return [param.opts[0], list(each)[0 if negative else -1].value]
    if int in kinds:
        return [param.opts[0], "3"]
    if float in kinds:
        return [param.opts[0], "2.5" if negative else "700"]
    return [param.opts[0], f"it's {param.name}"]


@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize("name", ["copy", "move"])
def test_every_option_comes_back_when_the_command_is_said_again(
    typed: list[Flags], name: str, negative: bool
) -> None:
    command: Any = typer.main.get_command(app)
    params = [param for param in command.commands[name].params if param.name != "help"]
    kinds = get_type_hints({"copy": copy, "move": move}[name])
    typing = (_words(param, kinds[param.name], negative=negative) for param in params)
    words = [word for each in typing for word in each]
    assert run_command([name, *words]) == 0
    first = _without_what_is_not_said(typed[0])
    recorded = invocation_of(typed[0]).command
    assert run_command(arguments_of(recorded)) == 0
    assert typed[1] == first
    assert flags_of(recorded) == first
    assert len(recorded.flags) + len(recorded.left_out) >= len(params) - len(NOT_SAID_AGAIN) - 6


def _without_what_is_not_said(flags: Flags) -> Flags:
    defaults = CopyFlags()
    copy = flags.copy if isinstance(flags, MoveFlags) else flags
    names = [name for name in NOT_SAID_AGAIN if name in CopyFlags.__struct_fields__]
    copy = replace(copy, **{name: getattr(defaults, name) for name in names})
    return replace(flags, copy=copy, forward=False) if isinstance(flags, MoveFlags) else copy


def test_what_is_not_given_is_not_said(typed: list[Flags]) -> None:
    run_command(["move", "orders", "orders"])
    assert arguments_of(invocation_of(typed[0]).command) == ["move", "orders", "orders"]


def test_it_is_kept_where_it_was_typed(
    typed: list[Flags], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_command(["copy", "--plan", "move.toml"])
    assert invocation_of(typed[0]).command.directory == str(tmp_path)


def test_flags_of_another_version_are_passed_over_and_odd_ones_refused() -> None:
    later = RecordedCommand(name="copy", flags={"source": "a", "of_tomorrow": 1})
    assert flags_of(later) == CopyFlags(source="a")
    with pytest.raises(PlanError, match="cannot be started again"):
        flags_of(RecordedCommand(name="copy", flags={"writers": "many"}))
