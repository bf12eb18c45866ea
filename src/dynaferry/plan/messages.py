"""The messages for faults of a plan, in the terms of its document. Pure.

msgspec says what it expected, and where; people read the key as they wrote it, the value as a
thing of TOML, and what may stand there instead.
"""

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, Final, get_args

import msgspec

from dynaferry.errors import PlanError
from dynaferry.plan.schedule import Schedule, ScheduleEntry, Weekday
from dynaferry.plan.settings import Account, Compress, CopyPlan, OnReject, TablePlan

Named = Callable[[str], str]
"""Gives a key as it was written: in a plan file, or as a flag."""

# What msgspec says of a value, and what people read.
_FAULTS: Final = (
    (re.compile(r"Expected `\w+` >= (.+)"), "must be at least {}"),
    (re.compile(r"Expected `\w+` <= (.+)"), "must be at most {}"),
    (re.compile(r"Expected `\w+` > (.+)"), "must be more than {}"),
    (re.compile(r"Expected `(\w+).*`, got `(\w+)`"), "must be {}, not {}"),
    (re.compile(r"Object missing required field `(.+)`"), "has no {}"),
    (re.compile(r"Invalid enum value '(.+)'"), "cannot be {!r}"),
)
_TYPES: Final = {
    "int": "a whole number",
    "null": "nothing",
    "float": "a number",
    "fraction": "a fraction",
    "str": "text in quotes",
    "bool": "true or false",
    "array": "a list",
    "object": "a section",
}
# Settings that are one of a few words.
_ENUMERATIONS: Final = {"on_reject": OnReject, "compress": Compress}
_UNKNOWN_FIELD: Final = re.compile(r"Object contains unknown field `(.+)`")
_SECTIONS: Final = {
    "source": Account,
    "target": Account,
    "tables": TablePlan,
    "limits": Schedule,
    "schedule": ScheduleEntry,
}


def fault_in_words(
    error: msgspec.ValidationError, document: Mapping[str, Any], named: Named
) -> PlanError:
    """The error for what msgspec found in a document, in the terms of that document."""
    what, _, path = str(error).replace("got `float`", "got `fraction`").partition(" - at `$")
    section, _, key = path.rstrip("`").lstrip(".").rpartition(".")
    unknown = _UNKNOWN_FIELD.fullmatch(what)
    if unknown is not None:
        return _unknown_key(unknown[1], key, named(_place(key, document)))
    if section.startswith("tables"):
        key = f"{key} of {_place(section, document)}"
    elif key.startswith("tables["):
        key = _place(key, document)
    elif section.startswith("limits.schedule"):
        key = f"{key.partition('[')[0]} of {_place(section.removeprefix('limits.'), document)}"
    elif section:
        key = f"{section}.{key}"
    hint = _choice(key) if "enum" in what else None
    return PlanError(f"{named(key)} {_fault(what)}", hint=hint)


def _choice(key: str) -> str:
    if key.startswith("max_"):
        return 'it is a number, or "none"'
    words = Weekday if key.startswith("weekdays") else _ENUMERATIONS[key]
    return f"it is one of {', '.join(get_args(words))}"


def _unknown_key(unknown: str, section: str, place: str) -> PlanError:
    known = _SECTIONS.get(section.partition("[")[0], CopyPlan).__struct_fields__
    likely = get_close_matches(unknown, known, n=1)
    hint = f"did you mean {likely[0]!r}?" if likely else f"there is {', '.join(known)}"
    return PlanError(f"{unknown!r} is not a key of {place}", hint=hint)


def _place(section: str, document: Mapping[str, Any]) -> str:
    """A section as people know it: a table by its source, or counted from 1."""
    entry = re.fullmatch(r"schedule\[(\d+)\]", section)
    if entry is not None:
        return f"entry {int(entry[1]) + 1} of limits.schedule"
    number = re.fullmatch(r"tables\[(\d+)\]", section)
    if number is None:
        return f"[{section}]" if section else ""
    index = int(number[1])
    table = document["tables"][index]
    source = table.get("source") if isinstance(table, dict) else None
    return f"the table {source}" if isinstance(source, str) else f"table {index + 1}"


def _fault(what: str) -> str:
    for pattern, words in _FAULTS:
        found = pattern.fullmatch(what)
        if found is not None:
            return words.format(*(_word(group) for group in found.groups()))
    return f"is not understood: {what}"


def _word(word: str) -> str:
    try:
        return f"{float(word):,g}" if float(word) < 1000 else f"{float(word):,.0f}"
    except ValueError:
        return _TYPES.get(word, word)


def as_flag(key: str) -> str:
    """The flag of a setting as it is typed; a setting of one table has none."""
    if not key or "table " in key:
        return key or "the plan"
    if key.startswith("entry ") or " of entry " in key or key.startswith("limits"):
        return key
    return "--" + key.removesuffix("_seconds").replace("_", "-").replace(".", "-")


def toml_type(value: object) -> str:
    """The type of a value in a plan, as msgspec calls it."""
    names = {bool: "bool", int: "int", float: "float", list: "array", dict: "object"}
    return names.get(type(value), "null")
