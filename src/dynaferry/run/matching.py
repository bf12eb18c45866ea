"""The tables that a plan's patterns match, from the list of the source's tables."""

from difflib import get_close_matches

from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.dynamodb.tables.list_tables import list_tables
from dynaferry.errors import PreflightError
from dynaferry.plan.patterns import (
    PatternMatch,
    has_patterns,
    match_lines,
    unused_exclusions,
    with_matches,
)
from dynaferry.plan.settings import CopyPlan
from dynaferry.plan.validation import validate
from dynaferry.run.lifecycle import Say
from dynaferry.run.sides import open_side


async def with_tables(plan: CopyPlan, say: Say) -> CopyPlan:
    """The valid plan with the tables that its patterns match now, which `say` is told.

    A plan without patterns comes back as it is: nothing is listed, nothing opened.

    :raises PreflightError: a pattern matches nothing
    :raises AccessDeniedError: the source may not be reached, or its tables not be listed
    """
    if not has_patterns(plan):
        return plan
    async with open_side(plan, plan.source, "source", say=say) as source:
        return await tables_matched(plan, source, say)


async def tables_matched(plan: CopyPlan, source: AccountSession, say: Say) -> CopyPlan:
    """Does what `with_tables` does, with the source open already."""
    names = await list_tables(source)
    found, matches = with_matches(plan, names)
    for match in matches:
        if not match.tables:
            raise _nothing_matched(match, names, source)
    for match in matches:
        for line in match_lines(match):
            say(line)
    for pattern in unused_exclusions(plan, names):
        say(f"exclude {pattern}: there is no such table")
    return validate(found)


def _nothing_matched(
    match: PatternMatch, names: list[str], source: AccountSession
) -> PreflightError:
    where = f"{source.region}, seen as {source.acting_as}"
    if match.excluded or match.named:
        left = "excluded" if match.excluded else "named elsewhere in the plan"
        return PreflightError(
            f"all tables that the pattern {match.pattern} matches in {where}, are {left}",
            hint="leave the pattern out, or what takes its tables away",
        )
    likely = get_close_matches(match.pattern.strip("*?"), names, n=3, cutoff=0.5)
    hint = "check the pattern, --source-region, and whose credentials are used; upper and lower"
    return PreflightError(
        f"the pattern {match.pattern} matches none of the {len(names):,} tables in {where}",
        hint=f"{hint} case differ" + (f"; there is {', '.join(likely)}" if likely else ""),
    )
