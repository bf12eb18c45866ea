"""Which tables of a plan an attempt takes, and by which number the run's state file knows each.

A run is known by its tables, and not by the list of them: a table may join the plan of a run that
has begun, leave it, and come back. Its number in the state file stays its own. Pure.
"""

from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from msgspec import Struct
from msgspec.structs import replace

from dynaferry.errors import PlanError, StateError
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.shared.arn import resource_name
from dynaferry.state.identity import another_copy
from dynaferry.state.records import RunRecord, TableIdentity


class RunTables(Struct, frozen=True, kw_only=True):
    """The tables that one attempt takes.

    `plan` names them alone, and `numbers` has the number of each in the state file. `of_run` names
    every table of the run by its number, those that this attempt does not take as well. By their
    numbers, too: those that have `joined` the run, those that are `restarted`, and those that have
    `left`, since the plan does not name them any more. `left_out` are the sources of those that it
    names, and that are not chosen.
    """

    plan: CopyPlan
    of_run: CopyPlan
    numbers: tuple[int, ...]
    joined: frozenset[int] = frozenset()
    restarted: frozenset[int] = frozenset()
    left: frozenset[int] = frozenset()
    left_out: tuple[str, ...] = ()

    @property
    def begin_anew(self) -> frozenset[str]:
        """The targets of the tables whose copy begins with this attempt."""
        anew = self.joined | self.restarted
        return frozenset(self.of_run.tables[number].target for number in anew)


def tables_of(
    plan: CopyPlan, stored: RunRecord | None, *, without: Collection[int] = ()
) -> RunTables:
    """The tables that an attempt at this plan takes, with `stored` as its run stands, if it does;
    of those that the run knows all but the ones `without` which it goes on.

    :raises PlanError: a name among the choices is none of the plan's, or none is left
    :raises StateError: no table of the run is one of the plan's
    """
    chosen, anew = selected(plan), _named("restart_table", plan)
    _check_choices(plan, chosen, anew)
    known = () if stored is None else stored.identity.tables
    numbers = _numbers_by_table(plan.tables, known)
    if stored is not None and not numbers:
        raise _other_tables(plan, stored)
    of_run = [] if stored is None else list(stored.settings.tables)
    for table, number in numbers.items():
        of_run[number] = table
    if plan.restart:
        known, numbers, of_run = (), {}, []
    left = frozenset(range(len(known))) - frozenset(numbers.values())
    left_out = tuple(t.source_name for t in plan.tables if t not in chosen.tables)
    taken = tuple(table for table in chosen.tables if numbers.get(table) not in without)
    chosen = replace(chosen, tables=taken)
    joined = [table for table in chosen.tables if table not in numbers]
    _check_not_filled(joined, of_run, plan.run_name)
    numbers |= {table: len(known) + place for place, table in enumerate(joined)}
    return RunTables(
        plan=chosen,
        of_run=replace(chosen, tables=(*of_run, *joined)),
        numbers=tuple(numbers[table] for table in chosen.tables),
        joined=frozenset(numbers[table] for table in joined),
        restarted=frozenset(
            numbers[table] for table in chosen.tables if table in anew and table not in joined
        ),
        left=left,
        left_out=left_out,
    )


def _check_choices(plan: CopyPlan, chosen: CopyPlan, anew: Collection[TablePlan]) -> None:
    if plan.restart and (anew or len(chosen.tables) < len(plan.tables)):
        raise PlanError(
            "--restart forgets all tables of the run, and other flags choose some of them",
            hint="--restart-table T begins one again, and --restart-table '*' all that are chosen",
        )


def _check_not_filled(joined: Iterable[TablePlan], of_run: Sequence[TablePlan], run: str) -> None:
    """Returns if no table joins with a target into which the run has copied another.

    :raises StateError: one does
    """
    filled = {table.target_name: table.source_name for table in of_run}
    for table in joined:
        if table.target_name in filled:
            raise StateError(
                f"{table.source_name} cannot join the run {run!r}: its target {table.target_name} "
                f"was filled with {filled[table.target_name]} by this run",
                hint="give it another target, or copy it in a run of its own (--run)",
                table=table.target,
            )


def _other_tables(plan: CopyPlan, stored: RunRecord) -> StateError:
    names = [(table.source_name, table.target_name) for table in plan.tables]
    return another_copy(stored.identity, names, run=plan.run_name)


def selected(plan: CopyPlan) -> CopyPlan:
    """The plan with the tables alone that its choices leave, and without the choices.

    :raises PlanError: a name among the choices is none of the plan's, or none is left
    """
    only, skip = _named("only", plan), _named("skip", plan)
    tables = tuple(
        table for table in plan.tables if (not plan.only or table in only) and table not in skip
    )
    if not tables:
        raise PlanError(
            "--only and --skip leave no table of the plan", hint="leave one of them out"
        )
    return replace(plan, run=plan.run_name, tables=tables, only=(), skip=(), restart_table=())


def _named(choice: str, plan: CopyPlan) -> frozenset[TablePlan]:
    """The tables that a choice of the plan names, by their sources or else by their targets.

    :raises PlanError: a name is none of theirs
    """
    found: set[TablePlan] = set()
    for name in getattr(plan, choice):
        by_source = [table for table in plan.tables if _is(name, table.source, table.source_name)]
        by_target = [table for table in plan.tables if _is(name, table.target, table.target_name)]
        if not (by_source or by_target):
            raise _no_table(choice, name, plan)
        found.update(by_source or by_target)
    return frozenset(found)


def _is(name: str, *names: str) -> bool:
    return any(fnmatchcase(each, name) for each in names)


def _no_table(choice: str, name: str, plan: CopyPlan) -> PlanError:
    names = [name for table in plan.tables for name in (table.source_name, table.target_name)]
    likely = get_close_matches(name, names, n=1)
    hint = f"did you mean {likely[0]!r}?" if likely else f"there is {', '.join(sorted(set(names)))}"
    return PlanError(f"--{choice.replace('_', '-')} {name!r} is no table of the plan", hint=hint)


def _numbers_by_table(
    tables: Sequence[TablePlan], known: Sequence[TableIdentity]
) -> dict[TablePlan, int]:
    """The numbers of those tables of a plan that a run knows, by their names."""
    free: dict[tuple[str, str], list[int]] = {}
    for number, seen in enumerate(known):
        names = resource_name(seen.source_arn), resource_name(seen.target_arn)
        free.setdefault(names, []).append(number)
    found = {}
    for table in tables:
        numbers = free.get((table.source_name, table.target_name))
        if numbers:
            found[table] = numbers.pop(0)
    return found


def lines_on(tables: RunTables, stored: RunRecord | None) -> list[str]:
    """What people should know of the tables that an attempt takes, and of those it does not."""
    told: list[tuple[Iterable[str], str]] = [(tables.left_out, "left out by --only or --skip")]
    if stored is not None and not tables.plan.restart:
        known = stored.identity.tables
        has_left = [number for number in tables.left if known[number].left_at is None]
        told += [
            (_names(tables, tables.joined), "new in this run"),
            (_names(tables, tables.restarted), "copied again from the start; the others continue"),
            (
                _names(tables, has_left),
                "not in the plan any more; what was copied stays, and resumes if it comes back",
            ),
        ]
    return [f"{', '.join(names)}: {words}" for names, words in told if names]


def _names(tables: RunTables, numbers: Iterable[int]) -> list[str]:
    return [tables.of_run.tables[number].source_name for number in sorted(numbers)]
