"""The command that resumes: what is kept of it, and how it is written for a shell."""

import shlex

import pytest

from dynaferry.plan.recorded import recorded_settings
from dynaferry.plan.resume_command import (
    Invocation,
    RecordedCommand,
    recorded_command,
    resume_line,
    resume_lines,
    to_be_kept,
    typed_again,
    variable_of,
    verify_command,
    what_to_add,
)
from dynaferry.plan.settings import CopyPlan, TablePlan

SECRET = "a-secret-0f4e"


def _recorded(**given: object) -> RecordedCommand:
    return recorded_command("copy", given, "/work")


def test_tables_come_first_and_then_the_options_as_they_are_typed() -> None:
    command = _recorded(
        source="orders",
        target="orders-2",
        max_write_units=700.0,
        max_read_units=2.5,
        create_target=True,
        consistent_read=False,
        only=["a", "b"],
    )
    assert resume_line(command) == (
        "dynaferry copy orders orders-2 --max-write-units 700 --max-read-units 2.5 "
        "--create-target --no-consistent-read --only a --only b"
    )


def test_what_compares_is_reached_as_what_copies_and_nothing_else_of_it_is_typed() -> None:
    command = _recorded(
        plan="move.toml",
        only=["a"],
        state_dir="/state",
        target_profile="there",
        target_external_id=SECRET,
        max_write_units=700.0,
        on_end="notify",
        create_target=True,
    )
    assert resume_line(verify_command(command)) == (
        "dynaferry verify --plan move.toml --only a --state-dir /state --target-profile there"
    )
    again = typed_again(command)
    assert "--target-external-id" in again["verify_lacks"]
    assert "--on-end" not in again["verify_lacks"]
    assert "--on-end" in again["resume_lacks"]
    assert typed_again(None) == {}


def test_a_shell_takes_it_as_one_command_whatever_is_in_it() -> None:
    names = ["it's; rm -rf $HOME", "a b", "\n", "é*"]
    line = resume_line(_recorded(run=names[0], plan=names[1], only=names[2:]))
    assert shlex.split(line)[2:] == [
        *("--run", names[0], "--plan", names[1], "--only", names[2], "--only", names[3])
    ]


def test_a_table_that_begins_with_a_dash_is_no_option() -> None:
    line = resume_line(_recorded(source="-orders", target="x-y", writers=3))
    assert line == "dynaferry copy --writers 3 -- -orders x-y"


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("target_external_id", SECRET),
        ("source_external_id", SECRET),
        ("on_end", f"curl https://hooks/{SECRET}"),
        ("metrics_push", f"http://me:{SECRET}@push:9091"),
        ("metrics_push", f"https://gateway/t/{SECRET}"),
        ("source_endpoint_url", f"http://x/?token={SECRET}"),
        ("source_endpoint_url", f"http://[{SECRET}"),
    ],
)
def test_what_may_be_a_secret_is_not_kept_and_it_is_said_what_to_add(flag: str, value: str) -> None:
    command = _recorded(source="a", target="b", **{flag: value})
    said = " ".join(resume_lines(command))
    assert SECRET not in f"{command} {said}"
    option = f"--{flag.replace('_', '-')}"
    assert command.left_out == (option,)
    assert said.endswith(f"with {option} (or DYNAFERRY_{flag.upper()}) added, which is not kept")


def test_what_would_pay_for_everything_again_is_not_said_again() -> None:
    command = _recorded(source="a", target="b", restart=True, restart_table=["a"], dry_run=True)
    assert resume_lines(command) == ["to resume:", "  dynaferry copy a b"]


@pytest.mark.parametrize("url", ["http://push:9091", "http://push:9091/"])
def test_a_gateway_without_a_path_is_kept(url: str) -> None:
    command = _recorded(source="a", target="b", metrics_push=url)
    assert (command.flags["metrics_push"], command.left_out) == (url, ())


def test_what_is_kept_is_for_all_tables_though_its_attempt_was_for_some() -> None:
    command = _recorded(plan="move.toml", only=["events"], skip=["logs"])
    assert resume_line(command) == "dynaferry copy --plan move.toml --only events --skip logs"
    kept = to_be_kept(command)
    assert resume_line(kept) == "dynaferry copy --plan move.toml --skip logs"
    assert what_to_add(kept) is None


def test_tables_that_came_from_a_variable_are_missing_to_resume_and_to_verify() -> None:
    command = recorded_command("copy", {"on_end": SECRET}, "/work", ["DYNAFERRY_PLAN_TOML"])
    again = typed_again(to_be_kept(command))
    assert again["resume_lacks"] == (
        "with DYNAFERRY_PLAN_TOML and --on-end (or DYNAFERRY_ON_END) added, which is not kept"
    )
    assert again["verify_lacks"] == "with DYNAFERRY_PLAN_TOML added, which is not kept"
    assert variable_of("DYNAFERRY_PLAN_TOML") == "DYNAFERRY_PLAN_TOML"


def test_a_profile_is_said_to_who_typed_it_and_not_kept() -> None:
    command = _recorded(source="a", target="b", source_profile="me")
    assert resume_line(command) == "dynaferry copy a b --source-profile me"
    plan = CopyPlan(tables=(TablePlan("all", "both"),))
    kept = recorded_settings(plan, command=command).command
    assert kept == to_be_kept(command)
    assert kept is not None
    assert resume_line(kept) == "dynaferry copy a b"
    assert kept.left_out == ("--source-profile",)


def test_elsewhere_it_begins_with_the_way_to_its_directory() -> None:
    command = recorded_command("move", {"plan": "move.toml"}, "/srv/my moves")
    assert resume_line(command, here="/srv/my moves") == "dynaferry move --plan move.toml"
    assert resume_line(command, here="/root") == (
        "cd '/srv/my moves' && dynaferry move --plan move.toml"
    )


def test_only_what_is_typed_now_counts_as_typed() -> None:
    command = _recorded(source="a", target="b", max_write_units=700.0)
    assert Invocation(command).typed_caps == {"max_write_units": 700.0}
    assert Invocation(command, typed_now=False).typed_caps == {}
