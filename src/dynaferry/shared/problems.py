"""Several problems as one error, so that all of them are fixed in one round. Pure.

What reads the same of several tables but for their names is told once, with the names.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from dynaferry.errors import AccessDeniedError, DynaferryError, PreflightError
from dynaferry.shared.arn import resource_name

_PLACE: Final = "\0"


class Problem(Struct, frozen=True, kw_only=True):
    """One problem as it is told; `others` are the further tables that have the same."""

    message: str
    hint: str | None
    others: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What is wrong, and of which tables."""
        if not self.others:
            return self.message
        return f"{self.message}; the same for {', '.join(self.others)}"


def all_of(problems: Sequence[DynaferryError]) -> DynaferryError:
    """One error for all of them: the only one as it is."""
    if len(problems) == 1:
        return problems[0]
    kinds = {type(problem) for problem in problems}
    kind = AccessDeniedError if kinds == {AccessDeniedError} else PreflightError
    told = told_together(problems)
    error = kind(
        f"{len(problems)} problems: "
        + "; ".join(f"({number}) {problem.words}" for number, problem in enumerate(told, 1)),
        hint="; ".join(_hints(told)) or None,
    )
    error.__cause__ = ExceptionGroup("all problems", problems)
    return error


def each_once(problems: Sequence[DynaferryError]) -> list[DynaferryError]:
    """The problems without those that say the same again, as two inspections of a table may."""
    return list({problem.message: problem for problem in problems}.values())


def parts_of(error: DynaferryError) -> list[DynaferryError]:
    """What `all_of` has made one error of, or the error itself."""
    group = error.__cause__
    if not isinstance(group, ExceptionGroup):
        return [error]
    return [each for each in group.exceptions if isinstance(each, DynaferryError)] or [error]


def told_together(problems: Sequence[DynaferryError]) -> list[Problem]:
    """The problems in their order, each once with the tables that it is about."""
    alike: dict[tuple[str, str | None], list[DynaferryError]] = {}
    for problem in problems:
        alike.setdefault(_likeness(problem), []).append(problem)
    return [
        Problem(
            message=first.message,
            hint=first.hint,
            others=tuple(dict.fromkeys(resource_name(each.table) for each in others if each.table)),
        )
        for first, *others in alike.values()
    ]


def _likeness(problem: DynaferryError) -> tuple[str, str | None]:
    """What two problems have in common that differ in the name of the table alone."""
    if not problem.table:
        return problem.message, problem.hint
    hint = None if problem.hint is None else problem.hint.replace(problem.table, _PLACE)
    return problem.message.replace(problem.table, _PLACE), hint


def problem_lines(error: DynaferryError) -> list[str]:
    """The lines that tell people what `all_of` has made one error of; none for any other."""
    parts = parts_of(error)
    if len(parts) < 2:
        return []
    told = told_together(parts)
    return [
        f"error: {len(parts)} problems",
        *(f"  ({number}) {problem.words}" for number, problem in enumerate(told, 1)),
        *(f"hint: {hint}" for hint in _hints(told)),
    ]


def _hints(told: Sequence[Problem]) -> Iterator[str]:
    """Each hint once, with the numbers of the problems that it is for."""
    numbers: dict[str, list[str]] = {}
    for number, problem in enumerate(told, 1):
        if problem.hint is not None:
            numbers.setdefault(problem.hint, []).append(str(number))
    for hint, of in numbers.items():
        yield f"({', '.join(of)}) {hint}"
