"""Each command of README, docs and --help is run here, or says below why it is not."""

import asyncio
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import pytest
import typer
import yaml

from dynaferry import CopyPlan, StopSignal, TablePlan
from dynaferry.cli.main import app, run_command
from dynaferry.observe.stats import RunStats
from dynaferry.run.copy_tables import execute
from tests.deploy.places import read_template
from tests.docs.commands import ROOT, TARGET, Shown, inline, shown
from tests.worlds.moto import REGION, TARGET_EXTERNAL_ID, MotoWorld

COMMANDS: Final = shown()

# Whatever is not run, and the reason; each is looked at as far as it goes without.
NOT_RUN: Final = {
    r"dynaferry demo\b": "tests/demo runs it, in a process of its own",
    r"dynaferry bench\b": "it asks before it spends; tests/bench runs it",
    r"dynaferry move (?!.*--dry-run)": "it has no end by itself; tests/cli/test_move.py runs it",
    r"dynaferry (cut-over|cut-back|finish|abort|late-writes)\b": (
        "it needs a move that follows; tests/cli and tests/moves run it"
    ),
    r"aws\b": "it needs an account; its template and parameters are looked at",
    r"docker\b": "it needs a container engine; tests/deploy runs the steps of the build",
    r"kubectl\b": "it needs a cluster; tests/deploy holds the manifests against their schemas",
    r"make\b": "it installs, or takes long; its target is looked at",
    r"python -m benchmarks\b": "it measures, for minutes; its module is looked at",
    r"(python3 -m venv|venv/bin/pip)\b": "it installs, from the network; its files are looked at",
    r"source <\(dynaferry completion": "tests/cli/test_about.py sources it in bash",
    r"(export|mkdir)\b": "it prepares the shell for what follows",
}
# What ends with another code than 0 in a world that has two tables and no person, and why.
OTHERWISE: Final = {
    r"dynaferry verify .*--repair": (2, "nobody can be asked: stdin is no terminal"),
    r"dynaferry report .*--certificate": (2, "there is no certificate yet"),
    r"dynaferry copy orders orders --(metrics-listen|on-end)": (
        3,
        "without a role it is one table",
    ),
    r"dynaferry copy .*--source-role-arn": (3, "there are no tables in the account of that role"),
}


def reason_of(command: Shown) -> str | None:
    return next((why for what, why in NOT_RUN.items() if re.match(what, command.text)), None)


GROUPS: Final = ("dead-letters", "help")


def kind_of(command: Shown) -> frozenset[str]:
    """The command by its words without names and values: of each kind one is run."""
    _, verb, *rest = command.words
    words = {word for word in rest if word.startswith("-") or "*" in word} - {"--target-role-arn"}
    return frozenset((verb, *words, *(rest[:1] if verb in GROUPS else ())))


RUN: Final = list({kind_of(each): each for each in COMMANDS if reason_of(each) is None}.values())
DYNAFERRY: Final = list(
    {
        each.text: each for each in (*COMMANDS, *inline()) if each.text.startswith("dynaferry")
    }.values()
)


def test_the_pages_show_commands() -> None:
    assert len(COMMANDS) > 100
    assert len(RUN) > 25


@pytest.mark.parametrize("what", [*NOT_RUN, *OTHERWISE])
def test_no_reason_is_given_for_what_no_page_shows(what: str) -> None:
    assert any(re.match(what, command.text) for command in COMMANDS)


# Run ---------------------------------------------------------------------------------------------


async def _prepare(world: MotoWorld, command: Shown) -> None:
    """The tables that a page has in mind: `orders` and `events`, those of the README's plan, and
    their targets where a command does not create them. What compares finds the same on both sides.
    """
    items = [{"pk": {"S": f"k{number}"}} for number in range(8)]
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    for table in ("orders", "events"):
        await world.source_tables.create_table(table, StreamSpecification=stream)
        await world.source_tables.put_items(table, items)
    if "'prod-*'" in command.text or "--plan" in command.words:
        await world.source_tables.create_table("prod-orders")
        await world.source_tables.put_items("prod-orders", items)
    if "--create-target" in command.text:
        return
    is_compared = command.words[1] == "verify"
    for tables, names in (
        (world.source_tables, ("orders-new", "orders-2026")),
        (world.target_tables, ("orders", "events-2026", "new-orders")),
    ):
        for name in names:
            await tables.create_table(name)
            if is_compared:
                await tables.put_items(name, items)


async def _leave_an_unfinished_run(world: MotoWorld, state_dir: Path, run: str) -> None:
    stop = StopSignal()

    async def stop_at_once(_: RunStats) -> None:
        stop.ask()

    await world.target_tables.create_table("half-way")
    plan = CopyPlan(
        tables=(TablePlan("orders", "half-way"), TablePlan("events", "events-2026")),
        source=world.source,
        target=world.target,
        run=run,
        sts_endpoint_url=world.url,
        state_dir=state_dir,
    )
    outcome = await execute(plan, stop=stop, watch=stop_at_once)
    assert outcome.summary.status == "interrupted"


@pytest.mark.parametrize("command", RUN, ids=str)
def test_a_command_that_is_shown_does_what_it_is_shown_for(
    command: Shown,
    moto_world: MotoWorld,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    is_assumed = TARGET in " ".join(command.words) or "--plan" in command.words
    for name, value in {
        "AWS_ENDPOINT_URL": moto_world.url,
        "AWS_REGION": REGION,
        # Where a role is named there is one to assume, as the page says before.
        "DYNAFERRY_TARGET_EXTERNAL_ID": TARGET_EXTERNAL_ID if is_assumed else "",
    }.items():
        monkeypatch.setenv(name, value)
    _, verb, *rest = command.words
    asyncio.run(_prepare(moto_world, command))
    if verb in ("status", "runs", "set", "pause", "resume", "report", "dead-letters"):
        run = "move" if "move" in rest else "orders"
        asyncio.run(_leave_an_unfinished_run(moto_world, tmp_path / ".dynaferry", run))
    (tmp_path / "move.toml").write_text(_plan_of_the_readme(), encoding="utf-8")
    # Any free port will do; what is sent elsewhere by the shell is not the command's.
    typed = [word.replace(":9464", ":0") for word in rest]
    typed = typed[: typed.index(">")] if ">" in typed else typed
    expected = [code for what, (code, _) in OTHERWISE.items() if re.match(what, command.text)]
    assert run_command([verb, *typed]) == (expected or [0])[0], capsys.readouterr().err


def _plan_of_the_readme() -> str:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (plan,) = re.findall(r"(?ms)^```toml\n(.*?)^```", text)
    return str(plan)


# Looked at ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", DYNAFERRY, ids=str)
def test_a_command_of_dynaferry_has_the_flags_that_are_shown(command: Shown) -> None:
    if command.text.startswith("dynaferry hung"):
        return  # a message, not a command
    words = [word for word in command.words if word != "…"]
    found: Any = typer.main.get_command(app)
    rest = words[1 : words.index("&&")] if "&&" in words else words[1:]
    while hasattr(found, "commands") and rest and not rest[0].startswith("-"):
        found, rest = found.commands[rest[0]], rest[1:]
    known = {name for param in found.params for name in (*param.opts, *param.secondary_opts)}
    flags = {word.partition("=")[0] for word in rest if word.startswith("-")}
    assert flags - known - {"--help"} == set()


def commands_of(program: str) -> list[Shown]:
    return [command for command in COMMANDS if command.text.startswith(program)]


@pytest.mark.parametrize("command", commands_of("make"), ids=str)
def test_make_has_the_target(command: Shown) -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"(?m)^{re.escape(command.words[1])}:", text)


@pytest.mark.parametrize("command", commands_of("python -m"), ids=str)
def test_the_module_of_a_measurement_is_there(command: Shown) -> None:
    assert find_spec(command.words[2]) is not None


@pytest.mark.parametrize("command", commands_of("aws cloudformation deploy"), ids=str)
def test_a_template_has_the_parameters_that_it_is_given(command: Shown) -> None:
    words = command.words
    template = ROOT / words[words.index("--template-file") + 1]
    given = {
        word.partition("=")[0]
        for word in words[words.index("--parameter-overrides") + 1 :]
        if not word.startswith("--")
    }
    parameters = read_template(template)["Parameters"]
    assert given <= parameters.keys()
    assert {name for name in parameters if "Default" not in parameters[name]} <= given


@pytest.mark.parametrize("command", commands_of("kubectl apply"), ids=str)
def test_what_is_applied_to_a_cluster_is_there(command: Shown) -> None:
    place = ROOT / command.words[-1]
    file = place / "kustomization.yaml" if place.is_dir() else place
    assert list(yaml.safe_load_all(file.read_text(encoding="utf-8")))


@pytest.mark.parametrize("command", commands_of("venv/bin/pip"), ids=str)
def test_what_is_installed_is_there(command: Shown) -> None:
    assert (ROOT / command.words[-1]).exists()
