"""Why no TLS came about, in words: OpenSSL has symbols for it, and a closed connection has none."""

import ssl
from collections.abc import Iterator
from typing import Final

_NO_COMMON_VERSION: Final = frozenset(
    {
        "NO_PROTOCOLS_AVAILABLE",
        "TLSV1_ALERT_PROTOCOL_VERSION",
        "UNSUPPORTED_PROTOCOL",
        "WRONG_SSL_VERSION",
    }
)
# What OpenSSL takes the first bytes of something else for, by its version.
_NO_TLS_AT_ALL: Final = frozenset({"HTTP_REQUEST", "RECORD_LAYER_FAILURE", "WRONG_VERSION_NUMBER"})
VERSION_HINT: Final = "have the endpoint, or the proxy that opens TLS in front of it, speak TLS 1.2"
SCHEME_HINT: Final = "check the port, and whether the address has to begin with http://"


def tls_fault(error: BaseException) -> tuple[str, str] | None:
    """Why TLS will not come about a minute later either, and what to do; None where it may."""
    for link in _chain(error):
        if not isinstance(link, ssl.SSLError):
            continue
        reason: str | None = getattr(link, "reason", None)  # not all of Python's own have one
        if reason in _NO_COMMON_VERSION:
            return (
                f"the endpoint speaks no TLS that is taken here, 1.2 or 1.3 ({reason})",
                VERSION_HINT,
            )
        if reason in _NO_TLS_AT_ALL:
            return f"the endpoint does not speak TLS ({reason})", SCHEME_HINT
    return None


def why_not_connected(error: BaseException, *, tls: bool) -> str:
    """Why a connection did not open, also where the error itself has no words."""
    words = str(error)
    if words:
        return words
    if isinstance(error, ConnectionResetError):
        if tls:
            return "it was closed while TLS was agreed on, as by whoever speaks no TLS 1.2"
        return "it was closed at once"
    return repr(error)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came of, as Python, aiohttp and botocore say it."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        below = getattr(link, "os_error", None) or getattr(link, "kwargs", {}).get("error")
        link = below if isinstance(below, BaseException) else link.__cause__ or link.__context__
