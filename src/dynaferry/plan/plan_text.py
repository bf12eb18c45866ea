"""A plan file as text: what a person would write by hand, with comments, and usable as it is. Pure.

`plan_lines` writes what `plan_file.read_plan` reads. Of the settings it writes those that say where
the tables are; an external id is a secret and stays out.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from dynaferry.plan.settings import DEFAULT_TABLES_AT_ONCE, Account, PlanDraft, TablePlan
from dynaferry.shared.printable import HIGHEST_OF_ONE_ESCAPE, printable

_ACCOUNT_KEYS: Final = ("region", "profile", "role_arn", "endpoint_url")


class PlannedTable(Struct, frozen=True, kw_only=True):
    """One table of the text: what is said of it, and why it is left out, None where it is not."""

    table: TablePlan
    remarks: str
    left_out: str | None = None


def plan_lines(plan: PlanDraft, tables: Sequence[PlannedTable], head: Sequence[str]) -> list[str]:
    """The lines of a plan file for these tables, with `head` as its first comments."""
    return [
        *(f"# {line}".rstrip() for line in head),
        "",
        *_settings(plan),
        *_account("source", plan.source),
        *_account("target", plan.target),
        *(line for table in tables for line in _table(table)),
    ]


def _settings(plan: PlanDraft) -> Iterator[str]:
    yield f"tables_at_once = {DEFAULT_TABLES_AT_ONCE}         # the largest are started first"
    yield "# create_target = true    # create the targets that do not exist like their sources"
    yield "# max_read_units = 1000   # read capacity units a second, for all tables together"
    yield "# max_write_units = 1000  # write capacity units a second, for all tables together"
    if plan.sts_endpoint_url is not None:
        yield f"sts_endpoint_url = {_text(plan.sts_endpoint_url)}"


def _account(side: str, account: Account) -> Iterator[str]:
    given = [(key, getattr(account, key)) for key in _ACCOUNT_KEYS]
    yield ""
    yield f"[{side}]"
    for key, value in given:
        if value is not None:
            yield f"{key} = {_text(value)}"
    if account.region is None:
        yield f'# region = "…"  # as the AWS CLI finds it, or --{side}-region'
    if account.role_arn is None and account.profile is None:
        yield '# role_arn = "…"  # or profile = "…"; else the credentials of the environment'
    if account.external_id is not None:
        yield f"# the external id is a secret: DYNAFERRY_{side.upper()}_EXTERNAL_ID has it"


def _table(planned: PlannedTable) -> Iterator[str]:
    table, mark = planned.table, "" if planned.left_out is None else "# "
    yield ""
    if planned.left_out is not None:
        yield f"# left out: {_one_line(planned.left_out)}"
    if planned.remarks:
        yield f"# {_one_line(planned.remarks)}"
    yield f"{mark}[[tables]]"
    yield f"{mark}source = {_text(table.source)}"
    yield f"{mark}target = {_text(table.target)}"


def _text(value: str) -> str:
    """A TOML string: JSON's escapes are TOML's too.

    What is not printable is escaped here, since a terminal's escapes are none of TOML's.
    """
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(mark if mark.isprintable() else _escaped(mark) for mark in quoted)


def _escaped(mark: str) -> str:
    number = ord(mark)
    return f"\\u{number:04x}" if number <= HIGHEST_OF_ONE_ESCAPE else f"\\U{number:08x}"


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))
