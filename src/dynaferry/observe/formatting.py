"""Formats of numbers and names for people. Scripts get plain numbers through `--json`."""

from dynaferry.shared.arn import arn_account, arn_region, resource_name

UNKNOWN = "-"


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


def place(arn: str) -> str:
    """A table by its ARN: `orders (123456789012, us-east-1)`; anything else as it is."""
    account, region = arn_account(arn), arn_region(arn)
    return arn if account is None else f"{resource_name(arn)} ({account}, {region})"
