import shlex

import pytest

from dynaferry.observe.next_steps import Commands, next_steps, step_lines
from dynaferry.observe.summary import RunStatus, TableSummary
from dynaferry.shared.left_to_do import LeftToDo

ARN = "arn:aws:dynamodb:eu-west-1:222222222222:table/"


def _table(name: str = "orders", status: RunStatus = "complete", rejected: int = 0) -> TableSummary:
    return TableSummary(source=name, target=f"{name}-new", status=status, items_rejected=rejected)


def _left(name: str = "orders", **has: object) -> LeftToDo:
    return LeftToDo(source=name, target=f"{name}-new", target_arn=f"{ARN}{name}-new", **has)  # type: ignore[arg-type]


def test_a_complete_copy_is_to_be_compared() -> None:
    (step,) = next_steps("orders", [_table()])
    assert step.step == "verify"
    assert step.commands == ("dynaferry verify orders orders-new",)


def test_the_commands_are_those_of_who_began_it() -> None:
    mine = Commands(verify="dynaferry verify --plan move.toml", resume="dynaferry copy --plan m")
    (verify,) = next_steps("orders", [_table(), _table("events")], commands=mine)
    assert verify.commands == ("dynaferry verify --plan move.toml",)
    resume, *_ = next_steps("orders", [_table(status="interrupted")], commands=mine)
    assert resume.commands == ("dynaferry copy --plan m",)


def test_what_is_not_complete_resumes_before_it_is_compared() -> None:
    tables = [_table(), _table("events", "interrupted"), _table("audit", "failed")]
    (step,) = next_steps("move", tables)
    assert step.step == "resume"
    assert step.tables == ("events", "audit")
    assert step.text == "the same command again resumes events, audit"


def test_a_command_that_restarts_is_not_the_one_that_resumes() -> None:
    (step,) = next_steps("o", [_table(status="interrupted")], commands=Commands(restarts=True))
    assert step.text == "the same command without --restart resumes"


def test_rejected_items_are_listed_and_written_again_from_where_they_are_kept() -> None:
    tables = [_table(rejected=1, status="rejected")]
    first, second = next_steps("my run", tables, commands=Commands(state_dir="a b"))
    assert first.step == "dead-letters"
    assert "1 item was rejected" in first.text
    assert [shlex.split(command) for command in first.commands] == [
        ["dynaferry", "dead-letters", "list", "my run", "--state-dir", "a b"],
        ["dynaferry", "dead-letters", "replay", "my run", "--state-dir", "a b"],
    ]
    assert second.step == "verify"


def test_what_a_copy_does_not_carry_over_has_its_call() -> None:
    left = _left(
        ttl_attribute="expires at",
        point_in_time_recovery=True,
        stream_view="NEW_IMAGE",
        has_stream_readers=True,
        replica_regions=("us-east-2", "us-west-2"),
    )
    steps = {step.step: step for step in next_steps("orders", [_table()], [left])}
    assert list(steps) == [
        "verify",
        "point-in-time-recovery",
        "stream",
        "replicas",
        "time-to-live",
    ]
    table = "--table-name orders-new --region eu-west-1"
    assert steps["point-in-time-recovery"].commands == (
        f"aws dynamodb update-continuous-backups {table} "
        "--point-in-time-recovery-specification PointInTimeRecoveryEnabled=true",
    )
    assert steps["stream"].commands == (
        f"aws dynamodb update-table {table} "
        "--stream-specification StreamEnabled=true,StreamViewType=NEW_IMAGE",
    )
    assert len(steps["replicas"].commands) == 2
    assert shlex.split(steps["time-to-live"].commands[0])[-1] == (
        "Enabled=true,AttributeName=expires at"
    )


def test_a_stream_that_the_target_has_already_is_not_enabled_again() -> None:
    (_, step) = next_steps("orders", [_table()], [_left(has_stream_readers=True)])
    assert step.step == "stream"
    assert step.commands == ()
    assert "enable" not in step.text


@pytest.mark.parametrize("status", ["interrupted", "failed", "refused"])
def test_a_table_that_is_not_copied_has_nothing_to_be_carried_over_yet(status: RunStatus) -> None:
    steps = next_steps("orders", [_table(status=status)], [_left(ttl_attribute="expires")])
    assert not {"time-to-live", "verify"} & {step.step for step in steps}


def test_many_tables_make_one_step_with_a_command_each() -> None:
    names = [f"t{number}" for number in range(8)]
    left = [_left(name, ttl_attribute="expires") for name in names]
    *_, step = next_steps("move", [_table(name) for name in names], left)
    assert step.text.startswith("8 tables: enable time to live")
    assert len(step.commands) == 8
    assert step.tables == tuple(f"{name}-new" for name in names)


def test_the_lines_can_be_copied() -> None:
    assert step_lines(next_steps("orders", [_table()])) == [
        "next steps",
        "  1. compare both tables, once nobody writes to the source:",
        "       dynaferry verify orders orders-new",
    ]
    assert step_lines(()) == []
