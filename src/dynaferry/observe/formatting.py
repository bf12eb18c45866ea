"""Formats of numbers and names for people. Scripts get plain numbers through `--json`."""

import re
import textwrap
from typing import Final

from dynaferry.shared.arn import arn_account, arn_region, resource_name

UNKNOWN = "-"
_COMMAND: Final = re.compile(r"\b(aws|dynaferry) [a-z]")


def count(value: float | None) -> str:
    """A whole number with thousands apart: `1,234,567`."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def short(value: float | None) -> str:
    """A number in a few characters: `950`, `12.3k`, `4.5M`, `120G`."""
    if value is None:
        return UNKNOWN
    if round(value) < 1000:
        return f"{value:.0f}"
    for suffix in "kMG":
        value /= 1000
        digits = 1 if value < 99.95 else 0
        text = f"{value:.{digits}f}"
        if float(text) < 1000:
            return text + suffix
    return f"{value / 1000:.1f}T"


def megabytes(value: float | None) -> str:
    """Bytes as megabytes of 1,000,000, with one digit behind the point."""
    return UNKNOWN if value is None else f"{value / 1e6:,.1f}"


def size(value: float) -> str:
    """Bytes in the unit that keeps the number short, as the service counts: 1 KB is 1,024."""
    for unit in ("bytes", "KB", "MB", "GB"):
        if value < 1024:
            return f"{value:,.0f} bytes" if unit == "bytes" else f"{value:,.1f} {unit}"
        value /= 1024
    return f"{value:,.1f} TB"


def plural(number: float, what: str) -> str:
    """A number of things: `1 item`, `2,000 items`."""
    return f"{count(number)} {what}{'' if number == 1 else 's'}"


def percent(share: float | None) -> str:
    """A share from 0 to 1, rounded down, so that 100 % is said of nothing less; `<1%` is not 0."""
    if share is None:
        return UNKNOWN
    if 0 < share < 0.01:
        return "<1%"
    return f"{int(share * 100 + 1e-9)}%"


def duration(seconds: float | None) -> str:
    """`12s`, `4m 05s`, `3h 20m`, `2d 04h`."""
    if seconds is None:
        return UNKNOWN
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    minutes = whole // 60
    if minutes < 24 * 60:
        return f"{minutes // 60}h {minutes % 60:02d}m"
    return f"{minutes // 1440}d {minutes % 1440 // 60:02d}h"


def time_left(seconds: float | None) -> str:
    """The duration of what is left to do: never `0s`, which is said of the end alone."""
    return duration(seconds_left(seconds))


def seconds_left(seconds: float | None) -> float | None:
    """The seconds of what is left to do, as they are shown: 1 or more."""
    return None if seconds is None else max(1.0, seconds)


def span(began_at: str, ended_at: str) -> str:
    """Two moments in UTC, as ISO 8601 has them: `2026-11-29 18:00:03 to 18:01:21 UTC`."""
    began, ended = (at.removesuffix("Z").partition("T") for at in (began_at, ended_at))
    day = "" if began[0] == ended[0] else f"{ended[0]} "
    return f"{began[0]} {began[2]} to {day}{ended[2]} UTC"


def wrapped(line: str, width: int | None, *, indent: int) -> list[str]:
    """The line in so many columns, whole words, further lines indented. Without a width, and with
    a command in it, which is to be copied, it is left whole.
    """
    if width is None or len(line) <= width or _COMMAND.search(line):
        return [line]
    return textwrap.wrap(
        line,
        width,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def shortened(text: str, most: int) -> str:
    """A name cut to `most` characters in its middle, since names differ at their ends."""
    if len(text) <= most:
        return text
    head = most // 2
    return f"{text[:head]}…{text[len(text) - (most - head - 1) :]}"


def way(source: str, target: str, source_arn: str | None, target_arn: str | None) -> str:
    """Source and target: `orders (…, us-east-1) → orders (…, eu-west-1)`; names where a table
    was not seen.
    """
    return f"{place(source_arn or source)} → {place(target_arn or target)}"


def accounts(source_arn: str | None, target_arn: str | None) -> str:
    """Accounts and Regions of both sides: `123456789012 us-east-1 → 210987654321 us-east-1`."""
    source, target = (
        "(to be created)" if arn is None else f"{arn_account(arn)} {arn_region(arn)}"
        for arn in (source_arn, target_arn)
    )
    return f"{source} → {target}"


def place(arn: str) -> str:
    """A table by its ARN: `orders (123456789012, us-east-1)`; anything else as it is."""
    account, region = arn_account(arn), arn_region(arn)
    return arn if account is None else f"{resource_name(arn)} ({account}, {region})"
