"""Whether a ConditionExpression holds: of the language, what a repair asks. Pure.

Parts joined by AND, each `attribute_exists(#n)`, `attribute_not_exists(#n)` or `#n = :v`.
"""

import re
from collections.abc import Mapping
from typing import Any

from benchmarks.simulator.refusals import invalid

_PRESENCE = re.compile(r"(attribute_exists|attribute_not_exists)\((#\w+)\)")
_EQUALITY = re.compile(r"(#\w+) = (:\w+)")


def holds(
    expression: str,
    names: Mapping[str, str],
    values: Mapping[str, Any],
    item: Mapping[str, Any] | None,
) -> bool:
    """Whether it holds for what is there, None for nothing.

    :raises RefusedError: the simulator does not understand it
    """
    there = item or {}
    try:
        return all(_holds(part, names, values, there) for part in expression.split(" AND "))
    except KeyError as error:
        raise invalid(f"the expression names {error}, which is not given") from None


def _holds(
    part: str, names: Mapping[str, str], values: Mapping[str, Any], there: Mapping[str, Any]
) -> bool:
    if (presence := _PRESENCE.fullmatch(part)) is not None:
        return (names[presence[2]] in there) == (presence[1] == "attribute_exists")
    if (equality := _EQUALITY.fullmatch(part)) is not None:
        name = names[equality[1]]
        return name in there and bool(there[name] == values[equality[2]])
    raise invalid(f"the simulator does not understand the condition {part}")
