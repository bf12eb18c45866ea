"""The proxy that the environment names for an endpoint, and what is told where it does not do.

An address that cannot be read is told by the name of its variable and never by its value: without
being read, nobody can tell the password from the rest of it (invariant 8).
"""

import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import unquote

from yarl import URL

from dynaferry.dynamodb.environment.settings import proxies_for
from dynaferry.errors import PlanError

_KINDS: Final = ("http", "https")
_FEWEST_CHARACTERS = 4  # of a part of a password that is hidden by itself; shorter ones are words


class Proxy(NamedTuple):
    """A proxy, and apart from its address, since errors name that, what it is told."""

    url: URL
    headers: dict[str, str]


def proxy_for(url: URL, base_url: str | None = None) -> Proxy | None:
    """The proxy that the environment names for this endpoint of a client for `base_url`.

    Looked up once: aiohttp's own `trust_env` would do it, and read ~/.netrc, at every request.

    :raises PlanError: its address cannot be read, or it is of a kind that is not known
    """
    named = proxies_for(base_url or str(url)).get(url.scheme)
    return read_proxy(named, variable=f"{url.scheme.upper()}_PROXY") if named else None


def read_proxy(named: str, *, variable: str) -> Proxy:
    """The proxy that stands in a variable of the environment.

    :raises PlanError: its address cannot be read, or it is of a kind that is not known
    """
    address = named if "://" in named else f"http://{named.removeprefix('//')}"
    kind = address.partition("://")[0].lower()
    if kind not in _KINDS:
        raise PlanError(
            f"the proxy of {variable} is of a kind that is not known: {kind}",
            hint="name an http:// or https:// proxy; SOCKS proxies are not spoken to",
        )
    try:
        proxy = URL(address)
        rest = (proxy.path.strip("/"), proxy.query_string, proxy.fragment)
        is_read = bool(proxy.host) and proxy.port is not None and not any(rest)
    except ValueError:
        is_read = False
    if not is_read:
        raise PlanError(
            f"the address of the proxy in {variable} cannot be read",
            hint="it looks like http://USER:PASSWORD@HOST:PORT; in a user or a password the"
            " characters # / ? @ : % are written as %23 %2F %3F %40 %3A %25",
        )
    if proxy.user is None:
        return Proxy(proxy, {})
    # Apart, since aiohttp's errors name the proxy's address (invariant 8).
    user = b64encode(f"{proxy.user}:{proxy.password or ''}".encode()).decode()
    return Proxy(proxy.with_user(None), {"Authorization": f"Basic {user}"})


def unreadable_proxy() -> PlanError | None:
    """What is wrong with a proxy of the environment, where something is."""
    for scheme, named in urllib.request.getproxies().items():
        if scheme in _KINDS:
            try:
                read_proxy(named, variable=f"{scheme.upper()}_PROXY")
            except PlanError as error:
                return error
    return None


def passwords() -> frozenset[str]:
    """The passwords of the proxies of the environment, whole and in parts."""
    found: set[str] = set()
    for named in urllib.request.getproxies().values():
        user, at, _ = named.rpartition("://")[2].rpartition("@")
        if at:
            found.update(_forms(user.partition(":")[2]))
    return frozenset(found)


def _forms(password: str) -> Iterator[str]:
    """As it is and as it is meant; where a parser cuts it, each part of it."""
    yield from (password, unquote(password))
    for mark in "#/?@:":
        password = password.replace(mark, " ")
    yield from (part for part in password.split() if len(part) >= _FEWEST_CHARACTERS)
