"""From the command line to a plan."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from dynaferry.cli.flags import (
    CompressFlag,
    CopyFlags,
    MoveFlags,
    OnRejectFlag,
    move_plan_from,
    plan_from,
)
from dynaferry.cli.verify_flags import VerifyFlags, verify_plan_from
from dynaferry.errors import PlanError
from dynaferry.plan.settings import CopyPlan, TablePlan

ROLE = "arn:aws:iam::222222222222:role/dynaferry-target"

PLAN = f"""\
readers = 3
segments = 10
consistent_read = true
state_dir = "from-the-file"

[target]
region = "eu-west-1"
role_arn = "{ROLE}"

[[tables]]
source = "orders"
target = "orders"
segments = 500

[[tables]]
source = "customers"
target = "people"
"""


@pytest.fixture
def plan_file(tmp_path: Path) -> Path:
    path = tmp_path / "night-move.toml"
    path.write_text(PLAN)
    return path


def test_two_names_make_a_plan_with_every_default() -> None:
    plan = plan_from(CopyFlags(source="orders", target="orders"))
    assert plan == CopyPlan(tables=(TablePlan("orders", "orders"),))


def test_a_target_that_is_not_named_has_the_sources_name() -> None:
    assert plan_from(CopyFlags(source="orders")).tables == (TablePlan("orders", "orders"),)


def test_what_is_excluded_on_the_command_line_takes_the_place_of_the_files(tmp_path: Path) -> None:
    path = tmp_path / "move.toml"
    path.write_text('exclude = ["a*"]\n[[tables]]\nsource = "*"\n')
    assert plan_from(CopyFlags(plan=path)).exclude == ("a*",)
    assert plan_from(CopyFlags(plan=path, exclude=["b*", "c*"])).exclude == ("b*", "c*")


def test_every_flag_that_is_not_given_leaves_what_the_file_says(plan_file: Path) -> None:
    plan = plan_from(CopyFlags(plan=plan_file))
    assert plan.run_name == "night-move"
    assert (plan.readers, plan.segments, plan.consistent_read) == (3, 10, True)
    assert plan.state_dir == Path("from-the-file")
    assert plan.target.region == "eu-west-1"
    assert [table.segments for table in plan.tables] == [500, None]


def test_flags_override_what_the_file_says_and_nothing_beside_it(plan_file: Path) -> None:
    plan = plan_from(
        CopyFlags(
            plan=plan_file,
            readers=5,
            consistent_read=False,
            target_region="us-east-1",
            state_dir=Path("typed"),
            run="typed-too",
            patience=7.5,
            on_reject=OnRejectFlag.STOP,
            compress=CompressFlag.ON,
        )
    )
    assert (plan.readers, plan.consistent_read, plan.run_name) == (5, False, "typed-too")
    assert (plan.target.region, plan.target.role_arn) == ("us-east-1", ROLE)
    assert (plan.state_dir, plan.patience_seconds) == (Path("typed"), 7.5)
    assert plan.on_reject == "stop"
    assert plan.compress == "on"
    assert plan.segments == 10


def test_every_flag_that_is_named_as_a_setting_sets_it() -> None:
    numbers = {
        field.name: 7
        for field in msgspec.structs.fields(CopyFlags)
        if field.name in CopyPlan.__struct_fields__ and field.type in (int | None, float | None)
    }
    switches = {
        field.name: True
        for field in msgspec.structs.fields(CopyFlags)
        if field.name in CopyPlan.__struct_fields__ and field.type == bool | None
    }
    assert "warm_target" in numbers
    given: dict[str, Any] = numbers | switches
    plan = plan_from(CopyFlags(source="orders", target="orders", **given))
    assert {name: getattr(plan, name) for name in given} == given


@pytest.mark.parametrize(("typed", "segments"), [("auto", None), ("64", 64)])
def test_typed_segments_count_for_every_table(
    plan_file: Path, typed: str, segments: int | None
) -> None:
    plan = plan_from(CopyFlags(plan=plan_file, segments=typed))
    assert plan.segments == segments
    assert [table.segments for table in plan.tables] == [None, None]


def test_each_side_has_its_own_account() -> None:
    plan = plan_from(
        CopyFlags(
            source="orders",
            target="orders",
            source_profile="old",
            source_endpoint_url="http://127.0.0.1:8000",
            target_role_arn=ROLE,
            target_external_id="a-secret",
            sts_endpoint_url="http://127.0.0.1:9000",
        )
    )
    assert (plan.source.profile, plan.source.endpoint_url) == ("old", "http://127.0.0.1:8000")
    assert (plan.target.role_arn, plan.target.external_id) == (ROLE, "a-secret")
    assert plan.sts_endpoint_url == "http://127.0.0.1:9000"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({}, "nothing says what to copy"),
        (
            {"source": "a-b", "target": "c-d", "plan": Path("x.toml")},
            "tables are named on the command line and by --plan",
        ),
        ({"plan": Path("not-there.toml")}, "the plan not-there.toml cannot be read"),
        ({"source": "a b", "target": "orders"}, "neither a table name nor a table ARN"),
        (
            {"source": "orders", "target": "orders", "segments": "many"},
            "--segments 'many' is neither a number nor 'auto'",
        ),
        ({"source": "orders", "target": "orders", "readers": 0}, "--readers must be at least 1"),
        (
            {"source": "orders", "target": "orders", "max_write_units": -1.0},
            "--max-write-units must be at least 0.01",
        ),
        (
            {"source": "orders", "target": "orders", "max_read_units": 1e-300},
            "--max-read-units must be at least 0.01",
        ),
        (
            {"source": "orders", "target": "orders", "max_write_units": float("nan")},
            "--max-write-units must be a number, not nan",
        ),
        (
            {"source": "orders", "target": "orders", "max_read_units": float("inf")},
            "--max-read-units must be a number, not inf",
        ),
        (
            {"source": "orders", "target": "orders", "patience": 0.0},
            "--patience must be more than 0",
        ),
        ({"source": "orders", "target": "orders", "target_role_arn": "me"}, "not a role ARN"),
        (
            {"source": "orders", "target": "orders", "target_external_id": "secret"},
            "an external id for the target needs a role",
        ),
        (
            {"source": "orders", "target": "orders", "source_endpoint_url": "localhost:8000"},
            "is not a URL",
        ),
    ],
)
def test_what_makes_no_sense_is_a_plan_error_that_says_so(
    flags: dict[str, Any], message: str
) -> None:
    with pytest.raises(PlanError) as caught:
        plan_from(CopyFlags(**flags))
    assert message in caught.value.message


def test_flags_do_not_show_an_external_id() -> None:
    assert "a-secret" not in repr(CopyFlags(target_external_id="a-secret"))


def test_a_plan_may_be_the_text_of_a_variable_where_nothing_else_names_tables(
    monkeypatch: pytest.MonkeyPatch, plan_file: Path
) -> None:
    monkeypatch.setenv("DYNAFERRY_PLAN_TOML", PLAN)
    plan = plan_from(CopyFlags(readers=5))
    assert plan == plan_from(CopyFlags(plan=plan_file, readers=5, run="plan"))
    assert plan.run_name == "plan"
    verified = verify_plan_from(VerifyFlags(copy=CopyFlags()))
    assert [table.source for table in verified.copy.tables] == ["orders", "customers"]
    typed = plan_from(CopyFlags(source="events", target="events"))
    assert [table.source for table in typed.tables] == ["events"]
    monkeypatch.setenv("DYNAFERRY_PLAN_TOML", f'run = "night"\n{PLAN}')
    assert plan_from(CopyFlags()).run_name == "night"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("reader = 3", "'reader' is not a key of the plan in the variable DYNAFERRY_PLAN_TOML"),
        ("readers = ", "the plan in the variable DYNAFERRY_PLAN_TOML is not valid TOML"),
        ("readers = 0\ntables = []", "readers in the plan in the variable DYNAFERRY_PLAN_TOML"),
    ],
)
def test_a_fault_in_the_text_of_a_variable_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.setenv("DYNAFERRY_PLAN_TOML", text)
    with pytest.raises(PlanError) as caught:
        plan_from(CopyFlags())
    assert message in caught.value.message


# A move ----------------------------------------------------------------------------------------

MOVE = """\
enable_stream = true
spool_max_bytes = 1000

[source]
streams_endpoint_url = "https://source.example"

[target]
streams_endpoint_url = "https://target.example"

[[tables]]
source = "orders"
target = "orders"

[[tables]]
source = "events"
target = "events-2026"
"""


def of_a_move(tmp_path: Path, **flags: Any) -> CopyPlan:
    plan = tmp_path / "move.toml"
    plan.write_text(MOVE)
    return move_plan_from(MoveFlags(copy=CopyFlags(plan=plan), **flags))


def test_the_keys_of_a_move_come_from_the_plan_and_hold_for_all_of_its_tables(
    tmp_path: Path,
) -> None:
    plan = of_a_move(tmp_path)
    assert (plan.enable_stream, plan.spool_max_bytes, len(plan.tables)) == (True, 1000, 2)
    assert plan.source.streams_endpoint_url == "https://source.example"
    assert plan.target.streams_endpoint_url == "https://target.example"


def test_the_flags_of_a_move_go_before_its_plan(tmp_path: Path) -> None:
    plan = of_a_move(
        tmp_path,
        enable_stream=False,
        spool_max_bytes=0,
        target_streams_endpoint_url="http://127.0.0.1:8000",
    )
    assert (plan.enable_stream, plan.spool_max_bytes) == (False, 0)
    assert plan.source.streams_endpoint_url == "https://source.example"
    assert plan.target.streams_endpoint_url == "http://127.0.0.1:8000"


@pytest.mark.parametrize("side", ["source", "target"])
def test_an_address_of_streams_that_is_none_is_refused_by_its_flag(
    tmp_path: Path, side: str
) -> None:
    with pytest.raises(PlanError, match=f"--{side}-streams-endpoint-url 'nowhere' is not a URL"):
        of_a_move(tmp_path, **{f"{side}_streams_endpoint_url": "nowhere"})


def test_a_spool_of_less_than_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="--spool-max-bytes must be at least 0"):
        of_a_move(tmp_path, spool_max_bytes=-1)


def test_a_move_of_nothing_says_how_a_move_is_typed() -> None:
    with pytest.raises(PlanError) as caught:
        move_plan_from(MoveFlags(copy=CopyFlags()))
    assert (caught.value.hint or "").startswith("dynaferry move SOURCE TARGET")
