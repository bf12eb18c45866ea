"""URLs as they are typed."""

from typing import Final
from urllib.parse import SplitResult, urlsplit

from dynaferry.errors import PlanError

ENDPOINT_EXAMPLE: Final = "https://host:port"


def checked_url(flag: str, url: str, *, example: str = ENDPOINT_EXAMPLE) -> SplitResult:
    """The parts of an address that a flag gave.

    :raises PlanError: it is none, or more than one: credentials and queries are not repeated
    """
    hint = f"it looks like {example}"
    try:
        parts = urlsplit(url)
        # A port that is none shows when it is asked for.
        is_one = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError as error:
        # Without what was typed: nobody knows what of it is a password.
        raise PlanError(f"{flag} is not a URL: {_reason(error)}", hint=hint) from None
    if parts.username is not None or parts.query or parts.fragment:
        raise PlanError(f"{flag} must be an address only, without credentials or a query")
    if not is_one or not url.isprintable() or " " in url:
        raise PlanError(f"{flag} {url!r} is not a URL", hint=hint)
    return parts


def _reason(error: ValueError) -> str:
    return "its port is none" if "port" in str(error).lower() else "its host is none"
