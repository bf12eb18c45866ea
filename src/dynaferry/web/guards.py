"""The guard of every request: which may be served, and which may control the run. Pure.

A browser on the operator's machine can be made to send requests by any page that it shows, and a
page may be served under a name that suddenly means 127.0.0.1 (DNS rebinding). So a request is
judged by what its page cannot forge:

- `Host`, where only this machine listens, must be this machine's; elsewhere it must at least be
  an address or this machine's name, since only a foreign name can be rebound. Metrics and health
  are given to anybody who can reach an address that is open to others: scrapers come by many names.
- Control wants, on top, a loopback peer and host, the token, and no sign of another site. The
  token travels in a header that another site cannot set without asking first.
"""

import hmac
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from dynaferry.web.address import Address, is_loopback

TOKEN_HEADER = "X-Dynaferry-Token"  # noqa: S105  # a name, not a token
FOR_SCRAPERS = frozenset({"/metrics", "/healthz", "/livez"})

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def host_may(host_header: str, path: str, address: Address) -> bool:
    """Whether a request under this `Host` may see `path` of a server that listens there."""
    host = _host_of(host_header)
    if host is None:
        return False
    if is_loopback(host):
        return True
    if address.is_loopback:
        return False
    return path in FOR_SCRAPERS or _is_address(host) or host in _own_names(address)


def control_refusal(
    *, peer: str | None, headers: Mapping[str, str], expected_token: str | None
) -> str | None:
    """The reason why a request may not control the run; None when it may."""
    if expected_token is None:
        return "this run was started without --allow-control"
    host = headers.get("Host", "")
    if not is_loopback(_host_of(host) or "") or peer is None or not is_loopback(peer):
        return "a run is controlled from its own machine only"
    if headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        return "another site may not control a run"
    if headers.get("Origin", f"http://{host}") != f"http://{host}":
        return "another site may not control a run"
    given = headers.get(TOKEN_HEADER, "")
    # What is not UTF-8 comes as surrogates.
    if not hmac.compare_digest(given.encode(errors="surrogateescape"), expected_token.encode()):
        return "the token is missing or wrong: open the address that the run printed"
    return None


def _host_of(host_header: str) -> str | None:
    try:
        return urlsplit(f"//{host_header}").hostname
    except ValueError:
        return None


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return False


def _own_names(address: Address) -> set[str]:
    return {address.host.lower(), socket.gethostname().lower()}
