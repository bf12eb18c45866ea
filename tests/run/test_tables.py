"""Which tables an attempt takes, and under which number each stands in the run's state file."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dynaferry.errors import PlanError, StateError
from dynaferry.plan.recorded import recorded_settings
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.run.tables import RunTables, lines_on, selected, tables_of
from dynaferry.state.records import RunIdentity, RunRecord, TableIdentity

NAMES = ("orders", "users", "events")


def plan_of(*names: str, **settings: Any) -> CopyPlan:
    tables = tuple(TablePlan(name, f"new-{name}") for name in names)
    return CopyPlan(tables=tables, run="move", **settings)


def identity_of(name: str, left_at: float | None = None) -> TableIdentity:
    return TableIdentity(
        source_arn=f"arn:aws:dynamodb:us-east-1:111111111111:table/{name}",
        source_table_id=None,
        source_endpoint="https://dynamodb.us-east-1.amazonaws.com",
        target_arn=f"arn:aws:dynamodb:us-east-1:222222222222:table/new-{name}",
        target_table_id=None,
        target_endpoint="https://dynamodb.us-east-1.amazonaws.com",
        total_segments=4,
        left_at=left_at,
    )


def run_of(*names: str, left: tuple[str, ...] = ()) -> RunRecord:
    tables = tuple(identity_of(name, 1.0 if name in left else None) for name in names)
    return RunRecord(
        run="move",
        identity=RunIdentity(tables=tables),
        settings=recorded_settings(plan_of(*names)),
        version="1",
        status="interrupted",
        attempts=1,
        created_at=1.0,
        started_at=1.0,
        ended_at=2.0,
    )


def chosen_by(tables: RunTables) -> list[tuple[int, str]]:
    sources = [table.source for table in tables.plan.tables]
    return list(zip(tables.numbers, sources, strict=True))


def test_a_new_run_numbers_the_tables_that_it_takes() -> None:
    tables = tables_of(plan_of(*NAMES, skip=("orders",)), None)
    assert chosen_by(tables) == [(0, "users"), (1, "events")]
    assert tables.joined == {0, 1}
    assert tables.left_out == ("orders",)
    assert [table.source for table in tables.of_run.tables] == ["users", "events"]


def test_a_table_keeps_its_number_whatever_the_order_of_the_plan() -> None:
    tables = tables_of(plan_of("events", "orders", "users"), run_of(*NAMES))
    assert chosen_by(tables) == [(2, "events"), (0, "orders"), (1, "users")]
    assert [table.source for table in tables.of_run.tables] == list(NAMES)
    assert tables.begin_anew == frozenset()
    assert tables.left == frozenset()


def test_a_table_that_joins_stands_behind_those_that_are_there() -> None:
    tables = tables_of(plan_of("carts", *NAMES), run_of(*NAMES))
    assert chosen_by(tables)[0] == (3, "carts")
    assert tables.begin_anew == {"new-carts"}
    assert tables.of_run.tables[3].source == "carts"
    assert lines_on(tables, run_of(*NAMES)) == ["carts: new in this run"]


def test_a_table_that_left_keeps_its_number_and_comes_back_to_it() -> None:
    tables = tables_of(plan_of("users", "events"), run_of(*NAMES))
    assert chosen_by(tables) == [(1, "users"), (2, "events")]
    assert tables.left == {0}
    (line,) = lines_on(tables, run_of(*NAMES))
    assert line.startswith("orders: not in the plan any more")
    assert lines_on(tables, run_of(*NAMES, left=("orders",))) == []
    again = tables_of(plan_of(*NAMES), run_of(*NAMES, left=("orders",)))
    assert chosen_by(again)[0] == (0, "orders")
    assert again.begin_anew == frozenset()


def test_a_table_that_is_left_out_has_not_left_the_run() -> None:
    tables = tables_of(plan_of(*NAMES, only=("users",)), run_of(*NAMES))
    assert chosen_by(tables) == [(1, "users")]
    assert (tables.left, tables.left_out) == (frozenset(), ("orders", "events"))
    assert lines_on(tables, run_of(*NAMES)) == ["orders, events: left out by --only or --skip"]


def test_a_table_is_restarted_by_its_number_and_the_others_go_on() -> None:
    tables = tables_of(plan_of(*NAMES, restart_table=("users",)), run_of(*NAMES))
    assert tables.restarted == {1}
    assert tables.begin_anew == {"new-users"}
    assert tables.plan.restart_table == ()


def test_a_table_that_joins_is_not_restarted() -> None:
    tables = tables_of(plan_of("carts", *NAMES, restart_table=("carts",)), run_of(*NAMES))
    assert tables.restarted == frozenset()
    assert tables.joined == {3}


def test_a_run_without_any_of_the_plans_tables_is_another_copy_even_with_restart() -> None:
    for restart in (False, True):
        with pytest.raises(StateError, match="it was 'orders to new-orders") as caught:
            tables_of(plan_of("carts", restart=restart), run_of(*NAMES))
        assert "'carts to new-carts'" in caught.value.message


def test_a_restart_numbers_the_tables_of_the_plan_from_the_start() -> None:
    tables = tables_of(plan_of("events", "users", restart=True), run_of(*NAMES))
    assert chosen_by(tables) == [(0, "events"), (1, "users")]
    assert tables.left == frozenset()
    assert tables.joined == {0, 1}


@pytest.mark.parametrize(
    "choice", [{"only": ("users",)}, {"skip": ("users",)}, {"restart_table": ("users",)}]
)
def test_a_restart_of_all_beside_a_choice_of_some_is_refused(choice: dict[str, Any]) -> None:
    with pytest.raises(PlanError, match="--restart forgets all") as caught:
        tables_of(plan_of(*NAMES, restart=True, **choice), run_of(*NAMES))
    assert "--restart-table" in (caught.value.hint or "")


def test_choices_are_names_or_patterns_of_sources_and_else_of_targets() -> None:
    def names(**choices: Any) -> list[str]:
        return [table.source for table in selected(plan_of(*NAMES, **choices)).tables]

    assert names(only=("*ers",)) == ["orders", "users"]
    assert names(only=("new-events",)) == ["events"]
    assert names(only=("*ers",), skip=("orders",)) == ["users"]
    assert names(skip=("u*", "e*")) == ["orders"]
    assert names() == list(NAMES)


@pytest.mark.parametrize("choice", ["only", "skip", "restart_table"])
def test_a_name_that_is_none_of_the_plans_is_refused_with_the_likely_one(choice: str) -> None:
    with pytest.raises(PlanError) as caught:
        tables_of(plan_of(*NAMES, **{choice: ("ordres",)}), None)
    assert caught.value.message == f"--{choice.replace('_', '-')} 'ordres' is no table of the plan"
    assert caught.value.hint == "did you mean 'orders'?"


def test_choices_that_leave_nothing_are_refused() -> None:
    with pytest.raises(PlanError, match="leave no table"):
        selected(plan_of(*NAMES, skip=("*",)))


def test_a_run_keeps_its_name_whatever_is_chosen() -> None:
    plan = replace(plan_of(*NAMES, skip=("orders",)), run=None)
    assert selected(plan).run_name == plan.run_name


@given(st.data())
def test_no_two_tables_ever_share_a_number_over_any_changes_of_the_plan(data: Any) -> None:
    every = [f"table-{n}" for n in range(6)]
    stored: RunRecord | None = None
    numbers: dict[str, int] = {}
    for _ in range(5):
        names = data.draw(st.permutations(every)).copy()
        names = names[: data.draw(st.integers(1, len(names)))]
        skip = tuple(name for name in names[1:] if data.draw(st.booleans()))
        try:
            tables = tables_of(plan_of(*names, skip=skip), stored)
        except StateError:
            assert stored is not None
            assert not set(names) & set(numbers)
            continue
        for number, name in chosen_by(tables):
            assert numbers.setdefault(name, number) == number
        assert len(set(numbers.values())) == len(numbers)
        in_file = [table.source for table in tables.of_run.tables]
        assert in_file == sorted(numbers, key=lambda name: numbers[name])
        assert not {in_file[n] for n in tables.left} & set(names)
        stored = run_of(*in_file)
