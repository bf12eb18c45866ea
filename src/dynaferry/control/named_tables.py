"""The tables of a run that people name: by source, by target, or by ARN. Pure."""

from collections.abc import Sequence
from difflib import get_close_matches

from dynaferry.errors import PlanError
from dynaferry.state.records import RunRecord

# What is listed of many tables in a hint.
_MOST_NAMES = 12


def tables_named(record: RunRecord, names: Sequence[str]) -> list[int]:
    """The numbers of the tables with these names, in the order of the run, each once.

    A name is that of a source before it is that of a target.

    :raises PlanError: one of them names no table of the run
    """
    found = {number for name in names for number in _numbers(record, name)}
    return sorted(found)


def _numbers(record: RunRecord, name: str) -> list[int]:
    tables, seen = record.settings.tables, record.identity.tables
    numbers = range(len(tables))
    for ways in (
        [{tables[n].source, tables[n].source_name, seen[n].source_arn} for n in numbers],
        [{tables[n].target, tables[n].target_name, seen[n].target_arn} for n in numbers],
    ):
        matching = [number for number in numbers if name in ways[number]]
        if matching:
            return matching
    there = [table.source_name for table in tables]
    close = get_close_matches(name, there, n=1)
    listed = ", ".join(there[:_MOST_NAMES]) + (", …" if len(there) > _MOST_NAMES else "")
    raise PlanError(
        f"the run {record.run} has no table {name!r}",
        hint=f"did you mean {close[0]!r}?" if close else f"it has {listed}",
    )
