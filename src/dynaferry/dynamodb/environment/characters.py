"""What was pasted along with a setting: a line break, a space. Told before anything is sent."""

from collections.abc import Mapping
from typing import Final

from dynaferry.errors import AccessDeniedError, PlanError

HINT: Final = (
    "take it out where it is set; files from Windows have a carriage return at the end of each line"
)


def fault_of(value: str) -> str | None:
    """What is wrong with it, and nothing of it; None where it can be sent in a header."""
    if value.rstrip("\r\n") != value:
        return "ends with a line break (\\r or \\n)"
    if value.strip() != value:
        return "has a space at its beginning or end"
    if not (value.isascii() and value.isprintable()):
        return "holds a character that cannot be sent"
    return None


def check_credentials(parts: Mapping[str, str | None], *, side: str, who: str) -> None:
    """Returns if these parts of credentials, by their names, can be sent.

    :raises AccessDeniedError: one cannot
    """
    for name, value in parts.items():
        fault = None if value is None else fault_of(value)
        if fault is not None:
            raise AccessDeniedError(
                f"{name} of the {side}'s credentials ({who}) {fault}", hint=HINT
            )


def check_region(region: str, side: str) -> None:
    """Returns if a region can be the part of a host's name.

    :raises PlanError: it cannot
    """
    fault = fault_of(region)
    if fault is not None:
        raise PlanError(f"the region of the {side}, {region!r}, {fault}", hint=HINT)
