"""Flags by environment variables: `--max-write-units` is DYNAFERRY_MAX_WRITE_UNITS as well.

What is typed goes before what a variable says, and a variable before what the plan says.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any, Final

from dynaferry.cli import screen

PREFIX: Final = "DYNAFERRY_"
# Not worth a line: where files are, how output looks, and what is expected to come from there.
_UNSAID: Final = frozenset(
    f"{PREFIX}{name}"
    for name in (
        "JSON",
        "LOG_FORMAT",
        "LOG_LEVEL",
        "PROGRESS",
        "SOURCE_EXTERNAL_ID",
        "STATE_DIR",
        "TARGET_EXTERNAL_ID",
    )
)
# No flags, and known all the same; Kubernetes names the services of a namespace in the same way.
_OTHERS: Final = re.compile(r"DYNAFERRY_(TRACEBACK|PLAN_TOML|ENDED_.+|SERVICE_.+|PORT(_.+)?)")
_ALIKE: Final = 0.85
_TRUE: Final = ("1", "true", "yes", "on", "t", "y")


def name_variables(options: Iterable[Any]) -> None:
    """Gives each of these options of a command the variable that its longest name makes."""
    for param in options:
        if param.param_type_name == "option" and param.envvar is None:
            param.envvar = variable_of(param.opts)
            param.show_envvar = False  # the rule is said once, not with each option


def variable_of(names: Iterable[str]) -> str:
    """The variable of an option that has these names."""
    longest = max(names, key=len)
    return PREFIX + longest.lstrip("-").replace("-", "_").upper()


def asks_for_json(arguments: Sequence[str]) -> bool:
    """Whether one document is wanted on stdout, so that an error has to be one as well."""
    return "--json" in arguments or os.environ.get(f"{PREFIX}JSON", "").lower() in _TRUE


def say_what_matters(ctx: Any) -> None:
    """Says which variables change what a command does, and which are misspelled."""
    given = [param.envvar for param in ctx.command.params if comes_from_environment(ctx, param)]
    said = [name for name in given if name not in _UNSAID]
    lines = [f"from the environment: {', '.join(said)}"] if said else []
    lines += [
        f"{name} is no variable of dynaferry. Did you mean {likely}?"
        for name, likely in misspelled(ctx.find_root().command).items()
    ]
    for line in lines:
        screen.say(_event(line) if ctx.params.get("log_format") == "json" else line)


def _event(line: str) -> str:
    """The line as the log has it, where all that is said is JSON."""
    from dynaferry.observe.logs import JsonLines, LogRun  # not for --help

    return JsonLines(sys.stderr, LogRun()).as_written(line)


def comes_from_environment(ctx: Any, param: Any) -> bool:
    """Whether a parameter has its value from its variable."""
    source = ctx.get_parameter_source(param.name)
    return source is not None and source.name == "ENVIRONMENT"


def prefer_typed_tables(ctx: Any) -> None:
    """Lets tables that are typed go before a plan that a variable names."""
    (plan, *_) = [param for param in ctx.command.params if param.name == "plan"] or [None]
    if plan is not None and ctx.params.get("source") and comes_from_environment(ctx, plan):
        ctx.params["plan"] = None


def misspelled(command: Any) -> dict[str, str]:
    """The variables of the environment that are nobody's, by what each is likely to mean."""
    there = [name for name in os.environ if name.startswith(PREFIX) and not _OTHERS.match(name)]
    if not there:
        return {}
    known = set(_variables(command))
    found = {}
    for name in there:
        likely = [] if name in known else get_close_matches(name, known, n=1, cutoff=_ALIKE)
        if likely:
            found[name] = likely[0]
    return found


def _variables(command: Any) -> Iterator[str]:
    for param in command.params:
        if isinstance(param.envvar, str):
            yield param.envvar
    for below in getattr(command, "commands", {}).values():
        yield from _variables(below)
