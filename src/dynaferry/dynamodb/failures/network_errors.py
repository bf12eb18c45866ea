"""What came of a request that got no usable response: the network, or a proxy on the way."""

import asyncio
import re
import ssl
from typing import Final

import aiohttp

from dynaferry.dynamodb.failures.call_site import CallSite
from dynaferry.dynamodb.failures.tls_errors import tls_fault
from dynaferry.errors import DynaferryError, RequestRefusedError, UnavailableError

WANTS_PASSWORD: Final = 407
CERTIFICATE_HINT: Final = "set AWS_CA_BUNDLE to the certificates of your network"
_OF_AN_ACCOUNT: Final = re.compile(r"\b[0-9]{12}\.ddb\.")
ACCOUNT_HINT: Final = (
    "check the network; where the Region's endpoint alone can be reached, and not those of"
    " accounts, set AWS_ACCOUNT_ID_ENDPOINT_MODE=disabled"
)
ADDRESS_HINT: Final = "check the region, the endpoint address and the network"
PROXY_HINT: Final = (
    "check the proxy that HTTPS_PROXY or HTTP_PROXY names; NO_PROXY lists what needs none"
)
SOMEBODY_ELSE_HINT: Final = "look whether a proxy responds instead, and check the endpoint address"
LOGIN_HINT: Final = (
    "give the proxy a user and a password: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"
)
FORBIDDEN_HINT: Final = (
    "ask whoever keeps the proxy to let this endpoint through, or list its host in NO_PROXY"
)


def address_hint(words: str) -> str:
    """What to do about an endpoint that cannot be reached, by the words that name it."""
    return ACCOUNT_HINT if _OF_AN_ACCOUNT.search(words) else ADDRESS_HINT


def from_network_error(
    error: BaseException, *, operation: str, site: CallSite, hint: str | None = None
) -> DynaferryError:
    """The error for a request that got no usable response.

    A certificate that is not trusted, an endpoint without TLS 1.2 and a proxy that refuses will not
    do otherwise a minute later: that stops the run.
    """
    where = site.where(operation)
    if isinstance(error, (aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError)):
        return RequestRefusedError(
            f"{where}: the endpoint's certificate is not trusted: {error}",
            hint=CERTIFICATE_HINT,
            operation=operation,
            table=site.table,
        )
    fault = tls_fault(error)
    if fault is not None:
        what, hint = fault
        return RequestRefusedError(
            f"{where}: {what}", hint=hint, operation=operation, table=site.table
        )
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return from_proxy(error.status, error.message, operation=operation, site=site)
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return UnavailableError(
            f"{where}: the proxy {error.host}:{error.port} cannot be reached: {error.os_error}",
            hint=PROXY_HINT,
            operation=operation,
            table=site.table,
        )
    what = "timed out" if isinstance(error, asyncio.TimeoutError) else str(error) or repr(error)
    if hint is None and _OF_AN_ACCOUNT.search(what):
        hint = ACCOUNT_HINT
    return UnavailableError(f"{where}: {what}", hint=hint, operation=operation, table=site.table)


def from_proxy(status: int, words: str, *, operation: str, site: CallSite) -> DynaferryError:
    """The error for a proxy that did not lead to the endpoint, and responded itself."""
    where = site.where(operation)
    if status >= 500 or status == 429:
        return UnavailableError(
            f"{where}: the proxy does not reach the endpoint: {status} {words}",
            hint=PROXY_HINT,
            operation=operation,
            table=site.table,
        )
    if status == WANTS_PASSWORD:
        return RequestRefusedError(
            f"{where}: the proxy wants a password: {status} {words}",
            hint=LOGIN_HINT,
            operation=operation,
            table=site.table,
        )
    return RequestRefusedError(
        f"{where}: the proxy refuses to connect to the endpoint: {status} {words}",
        hint=FORBIDDEN_HINT,
        operation=operation,
        table=site.table,
    )
