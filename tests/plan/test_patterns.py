"""Which tables a pattern stands for, and what their targets are called."""

import re
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaferry.errors import PlanError
from dynaferry.plan.patterns import (
    filled_in,
    has_patterns,
    match_lines,
    unused_exclusions,
    wildcard_values,
    with_matches,
)
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.plan.validation import validate

FEW = "ab.-_*?"
NAMES = st.text("ab.-_", max_size=12)
PATTERNS = st.text(FEW, max_size=8)
TABLES = ("audit", "prod-audit", "prod-events", "prod-events-tmp", "prod-users", "test-users")


def plain_reference(pattern: str, name: str) -> tuple[str, ...] | None:
    """The same by a regular expression, whose groups take as little as they can from the left."""
    parts = {"*": "(.*?)", "?": "(.)"}
    expression = "".join(parts.get(mark, re.escape(mark)) for mark in pattern)
    found = re.fullmatch(expression, name, re.DOTALL)
    return None if found is None else found.groups()


def plan_of(*tables: TablePlan, **settings: tuple[str, ...]) -> CopyPlan:
    return validate(CopyPlan(tables=tables, **settings))  # type: ignore[arg-type]


def ways(plan: CopyPlan, names: tuple[str, ...] = TABLES) -> list[tuple[str, str]]:
    found, _ = with_matches(plan, names)
    return [(table.source, table.target) for table in validate(found).tables]


@given(PATTERNS, NAMES)
def test_a_pattern_matches_what_a_shell_and_a_regular_expression_match(
    pattern: str, name: str
) -> None:
    values = wildcard_values(pattern, name)
    assert values == plain_reference(pattern, name)
    assert (values is not None) == fnmatchcase(name, pattern)


@given(st.lists(st.sampled_from(["a", "b", "-", "*", "?"]), max_size=8), st.data())
def test_a_name_that_was_made_from_a_pattern_matches_and_fills_the_pattern_again(
    marks: list[str], data: st.DataObject
) -> None:
    stands_for = {"*": NAMES, "?": st.text("ab.-_", min_size=1, max_size=1)}
    name = "".join(data.draw(stands_for.get(mark, st.just(mark))) for mark in marks)
    pattern = "".join(marks)
    values = wildcard_values(pattern, name)
    assert values is not None
    assert filled_in(pattern, values) == name
    assert filled_in(pattern.replace("a", "xyz"), values) == "".join(
        next(left) if mark in "*?" else mark.replace("a", "xyz")
        for left in [iter(values)]
        for mark in marks
    )


def test_many_stars_take_no_time() -> None:
    assert wildcard_values("*a" * 60 + "*b", "a" * 255) is None


def test_what_a_wildcard_stands_for_is_put_into_the_target() -> None:
    plan = plan_of(TablePlan("prod-*", "new-*-2026"))
    assert ways(plan) == [
        ("prod-audit", "new-audit-2026"),
        ("prod-events", "new-events-2026"),
        ("prod-events-tmp", "new-events-tmp-2026"),
        ("prod-users", "new-users-2026"),
    ]


def test_a_target_that_is_left_out_has_the_sources_name() -> None:
    assert TablePlan("orders").target == "orders"
    arn = "arn:aws:dynamodb:eu-west-1:111111111111:table/orders"
    assert TablePlan(arn).target == "orders"
    assert ways(plan_of(TablePlan("prod-u*"))) == [("prod-users", "prod-users")]


def test_a_target_may_be_a_pattern_in_another_account() -> None:
    there = "arn:aws:dynamodb:eu-west-1:222222222222:table/"
    plan = plan_of(TablePlan("test-*", f"{there}new-*"))
    assert ways(plan) == [("test-users", f"{there}new-users")]
    assert plan.target.region == "eu-west-1"


def test_what_is_excluded_is_left_out_for_one_pattern_or_for_all() -> None:
    plan = plan_of(
        TablePlan("prod-*", exclude=("*-tmp",)), TablePlan("*-*"), exclude=("prod-audit",)
    )
    assert [source for source, _ in ways(plan)] == [
        "prod-events",
        "prod-users",
        "prod-events-tmp",
        "test-users",
    ]


def test_a_table_that_is_named_keeps_its_own_settings_and_is_not_matched_again() -> None:
    plan = plan_of(
        TablePlan("prod-*", "new-*", max_write_units=100),
        TablePlan("prod-events", "events", segments=512),
    )
    found, (match,) = with_matches(plan, TABLES)
    settings = [(table.source, table.max_write_units, table.segments) for table in found.tables]
    assert ("prod-events", None, 512) in settings
    assert ("prod-users", 100, None) in settings
    assert match.named == ("prod-events",)
    assert len(found.tables) == 4


def test_the_run_is_named_by_the_pattern_whatever_it_matches() -> None:
    plan = plan_of(TablePlan("prod-*", "new-*"))
    assert plan.run_name == "prod-all-to-new-all"
    assert with_matches(plan, TABLES)[0].run == plan.run_name
    assert with_matches(plan, TABLES[:2])[0].run == plan.run_name
    assert plan_of(TablePlan("*")).run_name == "all"


def test_a_plan_without_patterns_stays_as_it_is() -> None:
    plan = plan_of(TablePlan("orders", "new-orders"))
    assert not has_patterns(plan)
    assert with_matches(plan, TABLES) == (plan, ())


def test_what_was_matched_is_said_with_what_was_left_out() -> None:
    plan = plan_of(TablePlan("prod-*"), TablePlan("prod-users"), exclude=("*-tmp", "prod-adit"))
    _, (match,) = with_matches(plan, TABLES)
    assert list(match_lines(match)) == [
        "prod-* matches 2 tables: prod-audit, prod-events",
        "prod-*: excluded: prod-events-tmp",
        "prod-*: named by themselves: prod-users",
    ]
    assert unused_exclusions(plan, TABLES) == ["prod-adit"]


def test_of_very_many_tables_the_first_are_named_and_the_others_counted() -> None:
    _, (match,) = with_matches(plan_of(TablePlan("*")), [f"table-{n:03}" for n in range(150)])
    (line,) = match_lines(match)
    assert line.startswith("* matches 150 tables: table-000, table-001, ")
    assert line.endswith("table-019 and 130 more")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (TablePlan("prod-*", "new"), "all that it matches would go to one target, 'new'"),
        (TablePlan("orders", "new-*"), "have different wildcards"),
        (TablePlan("prod-*", "new-?"), "have different wildcards"),
        (TablePlan("prod-*-*", "new-*"), "have different wildcards"),
        (TablePlan("prod-[ab]*"), "is neither a table name nor a table ARN"),
        (
            TablePlan("arn:aws:dynamodb:eu-west-1:111111111111:table/prod-*"),
            "is not a pattern of table names",
        ),
        (TablePlan("orders", exclude=("x*",)), "has an exclude, and its source is no pattern"),
        (TablePlan("prod-*", exclude=("a b",)), "what is excluded, 'a b', is neither"),
    ],
)
def test_a_pattern_that_makes_no_sense_is_refused(table: TablePlan, message: str) -> None:
    with pytest.raises(PlanError, match=re.escape(message)):
        validate(CopyPlan(tables=(table,)))


def test_an_exclusion_without_a_pattern_is_refused() -> None:
    with pytest.raises(PlanError, match="there is no pattern"):
        validate(CopyPlan(tables=(TablePlan("orders"),), exclude=("orders",)))


def test_two_tables_that_get_one_target_are_refused_once_they_are_known() -> None:
    plan = plan_of(TablePlan("prod-*", "new-*"), TablePlan("test-*", "new-*"))
    found, _ = with_matches(plan, TABLES)
    with pytest.raises(PlanError, match="the target 'new-users' is named twice"):
        validate(found)
