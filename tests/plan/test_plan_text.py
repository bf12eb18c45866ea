"""A plan that was written out is one: it says what it was made from, and no secret."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from dynaferry.plan.plan_text import PlannedTable, plan_lines
from dynaferry.plan.settings import Account, PlanDraft, TablePlan
from dynaferry.plan.validation import converted, validate
from dynaferry.shared.printable import printable

TEXTS = st.none() | st.text(min_size=1, max_size=30)
ACCOUNTS = st.builds(Account, region=TEXTS, profile=TEXTS, role_arn=TEXTS, endpoint_url=TEXTS)


def planned(name: str, remarks: str = "2 items", left_out: str | None = None) -> PlannedTable:
    return PlannedTable(table=TablePlan(name), remarks=remarks, left_out=left_out)


def read(lines: list[str]) -> PlanDraft:
    return converted(tomllib.loads("\n".join(lines)), str)


@given(ACCOUNTS, ACCOUNTS, st.lists(st.text(max_size=30), min_size=1, max_size=4))
def test_what_is_written_is_read_again(source: Account, target: Account, words: list[str]) -> None:
    tables = [planned(f"table-{number}", remarks) for number, remarks in enumerate(words)]
    plan = read(plan_lines(PlanDraft(tables=(), source=source, target=target), tables, []))
    assert (plan.source, plan.target) == (source, target)
    assert plan.tables == tuple(each.table for each in tables)


@given(st.text(min_size=1) | st.text(st.characters(max_codepoint=0xAD), min_size=1))
def test_a_name_of_any_characters_gets_through_a_terminal_and_is_the_same(name: str) -> None:
    lines = plan_lines(PlanDraft(tables=(), source=Account(profile=name)), [], [])
    assert all(map(str.isprintable, lines))
    assert tomllib.loads("\n".join(map(printable, lines)))["source"]["profile"] == name


def test_it_is_written_for_people_and_usable_as_it_is() -> None:
    role = "arn:aws:iam::222222222222:role/dynaferry-target"
    plan = PlanDraft(
        tables=(),
        source=Account(region="eu-west-1", profile="old"),
        target=Account(role_arn=role, external_id="a-secret"),
    )
    tables = [
        PlannedTable(
            table=TablePlan("prod-events", "new-events"),
            remarks="55,000,000 items, 20.5 GB, on demand",
        ),
        planned("prod-gone", "", "the source table prod-gone is DELETING"),
    ]
    lines = plan_lines(plan, tables, ["Written by: dynaferry plan 'prod-*' 'new-*'", ""])
    assert lines == [
        "# Written by: dynaferry plan 'prod-*' 'new-*'",
        "#",
        "",
        "tables_at_once = 4         # the largest are started first",
        "# create_target = true    # create the targets that do not exist like their sources",
        "# max_read_units = 1000   # read capacity units a second, for all tables together",
        "# max_write_units = 1000  # write capacity units a second, for all tables together",
        "",
        "[source]",
        'region = "eu-west-1"',
        'profile = "old"',
        "",
        "[target]",
        f'role_arn = "{role}"',
        '# region = "…"  # as the AWS CLI finds it, or --target-region',
        "# the external id is a secret: DYNAFERRY_TARGET_EXTERNAL_ID has it",
        "",
        "# 55,000,000 items, 20.5 GB, on demand",
        "[[tables]]",
        'source = "prod-events"',
        'target = "new-events"',
        "",
        "# left out: the source table prod-gone is DELETING",
        "# [[tables]]",
        '# source = "prod-gone"',
        '# target = "prod-gone"',
    ]
    assert [table.source for table in validate(read(lines)).tables] == ["prod-events"]
