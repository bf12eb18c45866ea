"""Patterns of table names: which names they match, and which targets those get. Pure.

`*` stands for any characters, or for none, and `?` for one. No table's name has either. What each
stands for in a source's name is put into the target at the same place: of `prod-*` and `new-*`,
`prod-orders` becomes `new-orders`. Where a name can be matched in several ways, each `*` from the
left stands for as little as it can.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import asdict, replace

from dynaferry.errors import PlanError
from dynaferry.plan.settings import CopyPlan, PlanDraft, TablePlan
from dynaferry.shared.arn import resource_name

_WILDCARD: Final = re.compile(r"[*?]")
# More names than these are counted only.
MOST_NAMED: Final = 20
_PATTERN: Final = re.compile(r"[a-zA-Z0-9_.*?-]{1,255}")


class PatternMatch(Struct, frozen=True, kw_only=True):
    """What a pattern of a plan has matched: the tables that are copied, and what is left out.

    `named` are tables that the plan names elsewhere, by themselves or by a pattern before.
    """

    pattern: str
    tables: tuple[TablePlan, ...]
    excluded: tuple[str, ...]
    named: tuple[str, ...]


def is_pattern(name_or_arn: str) -> bool:
    """Whether it stands for tables, and not for one."""
    return _WILDCARD.search(name_or_arn) is not None


def has_patterns(plan: PlanDraft) -> bool:
    """Whether it takes a list of the source's tables to know what the plan copies."""
    return any(is_pattern(table.source) for table in plan.tables)


def wildcard_values(pattern: str, name: str) -> tuple[str, ...] | None:
    """What each wildcard of the pattern stands for in the name; None where it does not match."""
    first, *rest = pattern.split("*")
    if not _fits(first, name, 0):
        return None
    values = _single(first, name, 0)
    end = len(first)
    for number, piece in enumerate(rest, 1):
        latest = len(name) - len(piece)
        earliest = end if number < len(rest) else max(end, latest)
        starts = range(earliest, latest + 1)
        start = next((start for start in starts if _fits(piece, name, start)), None)
        if start is None:
            return None
        values += [name[end:start], *_single(piece, name, start)]
        end = start + len(piece)
    return tuple(values) if end == len(name) else None


def _fits(piece: str, name: str, start: int) -> bool:
    """Whether a piece without `*` stands at this place of the name."""
    part = name[start : start + len(piece)]
    return len(part) == len(piece) and all(
        wanted in ("?", mark) for wanted, mark in zip(piece, part, strict=True)
    )


def _single(piece: str, name: str, start: int) -> list[str]:
    """What each `?` of a piece stands for."""
    return [name[start + place] for place, mark in enumerate(piece) if mark == "?"]


def filled_in(target: str, values: Iterable[str]) -> str:
    """The target with its wildcards replaced, from the left; it has as many as there are values."""
    left = iter(values)
    return _WILDCARD.sub(lambda _: next(left), target)


def check_patterns(plan: PlanDraft) -> None:
    """Returns if the plan's patterns make sense, and what it excludes.

    :raises PlanError: names the first that does not
    """
    for table in plan.tables:
        _check_pattern(table)
        if table.exclude and not is_pattern(table.source):
            raise PlanError(
                f"the table {table.source} has an exclude, and its source is no pattern",
                hint="leave exclude out, or the table",
            )
    for excluded in (*plan.exclude, *(each for table in plan.tables for each in table.exclude)):
        if not _PATTERN.fullmatch(excluded):
            raise PlanError(
                f"what is excluded, {excluded!r}, is neither a table name nor a pattern",
                hint="a name has letters, digits, '.', '_' and '-'; * stands for any of them",
            )
    if plan.exclude and not has_patterns(plan):
        raise PlanError(
            "--exclude leaves out tables that a pattern matches, and there is no pattern",
            hint="name the tables that are to be copied, and no others",
        )


def _check_pattern(table: TablePlan) -> None:
    source, target = table.source, table.target
    if is_pattern(source) and not _PATTERN.fullmatch(source):
        raise PlanError(
            f"the source {source!r} is not a pattern of table names",
            hint="a pattern is a name with * or ?, such as 'prod-*'; tables of another account are "
            "named one by one, by their ARNs",
        )
    if is_pattern(source) and not is_pattern(target):
        raise PlanError(
            f"the source {source!r} is a pattern, and all that it matches would go to one target, "
            f"{target!r}",
            hint="give the target the same wildcards, such as 'prod-*' and 'new-*', or leave it "
            "out for the same names",
        )
    if _WILDCARD.findall(source) != _WILDCARD.findall(target):
        raise PlanError(
            f"the source {source!r} and the target {target!r} have different wildcards",
            hint="what each stands for in the source is put into the target at the same place",
        )


def with_matches(
    plan: CopyPlan, names: Sequence[str]
) -> tuple[PlanDraft, tuple[PatternMatch, ...]]:
    """The plan with each pattern replaced by the tables among `names` that it matches, and what
    each has matched. Its run is named as before.

    A table that is named by itself is not matched as well, nor one that a pattern before has
    matched.
    """
    taken = {resource_name(each.source) for each in plan.tables if not is_pattern(each.source)}
    tables: list[TablePlan] = []
    matches: list[PatternMatch] = []
    for table in plan.tables:
        if not is_pattern(table.source):
            tables.append(table)
            continue
        match = _matched(table, plan.exclude, sorted(names), taken)
        taken |= {each.source for each in match.tables}
        tables += match.tables
        matches.append(match)
    if not matches:
        return plan, ()
    changes = {"tables": tuple(tables), "exclude": (), "run": plan.run_name}
    return PlanDraft(**(asdict(plan) | changes)), tuple(matches)


def _matched(
    table: TablePlan, exclude: Sequence[str], names: Sequence[str], taken: set[str]
) -> PatternMatch:
    left_out = (*exclude, *table.exclude)
    matched: list[TablePlan] = []
    excluded: list[str] = []
    named: list[str] = []
    for name in names:
        values = wildcard_values(table.source, name)
        if values is None:
            continue
        if name in taken:
            named.append(name)
        elif any(wildcard_values(pattern, name) is not None for pattern in left_out):
            excluded.append(name)
        else:
            target = filled_in(table.target, values)
            matched.append(replace(table, source=name, target=target, exclude=()))
    return PatternMatch(
        pattern=table.source,
        tables=tuple(matched),
        excluded=tuple(excluded),
        named=tuple(named),
    )


def unused_exclusions(plan: CopyPlan, names: Sequence[str]) -> list[str]:
    """What the plan excludes and is no table: a typing error would let that table be copied."""
    excluded = (*plan.exclude, *(each for table in plan.tables for each in table.exclude))
    return [
        pattern
        for pattern in dict.fromkeys(excluded)
        if all(wildcard_values(pattern, name) is None for name in names)
    ]


def match_lines(match: PatternMatch) -> Iterator[str]:
    """What a pattern has matched, for people."""
    count = len(match.tables)
    tables = "1 table" if count == 1 else f"{count:,} tables"
    yield f"{match.pattern} matches {tables}: {_listed([each.source for each in match.tables])}"
    if match.excluded:
        yield f"{match.pattern}: excluded: {_listed(match.excluded)}"
    if match.named:
        yield f"{match.pattern}: named by themselves: {_listed(match.named)}"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:MOST_NAMED])
    more = len(names) - MOST_NAMED
    return f"{shown} and {more:,} more" if more > 0 else shown
