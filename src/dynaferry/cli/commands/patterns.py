"""Plans with patterns: the tables are found before a command does anything else, once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dynaferry.cli import screen

if TYPE_CHECKING:
    from dynaferry.cli.watchdog import LastWords
    from dynaferry.plan.settings import CopyPlan


def with_tables_found(plan: CopyPlan, last_words: LastWords) -> CopyPlan:
    """The plan with the tables that its patterns match, which are said; as it is without patterns.

    :raises DynaferryError: a pattern matches nothing, or the tables cannot be listed
    """
    from dynaferry.plan.patterns import has_patterns

    if not has_patterns(plan):
        return plan
    from dynaferry.cli.interrupts import run_async
    from dynaferry.run.matching import with_tables

    return run_async(partial(with_tables, plan, screen.say), last_words=last_words)
