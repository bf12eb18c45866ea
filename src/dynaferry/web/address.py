"""The address to listen on: HOST:PORT as typed, and a socket that is bound before a run begins."""

import ipaddress
import socket
from contextlib import suppress

from msgspec import Struct

from dynaferry.errors import PlanError

FLAG = "--metrics-listen"
_BACKLOG = 128


class Address(Struct, frozen=True):
    """A host, as it was typed, and a port; port 0 takes any that is free."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)

    def url(self, port: int) -> str:
        """The URL for a browser on this machine, where `port` is the one that was taken."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        if self.host in ("0.0.0.0", "::"):  # noqa: S104  # compared, not bound
            host = "127.0.0.1" if self.host == "0.0.0.0" else "[::1]"  # noqa: S104
        return f"http://{host}:{port}/"


def is_loopback(host: str) -> bool:
    """Whether a host, by name or by address, is this machine and no other."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parse(text: str) -> Address:
    """The address that `HOST:PORT` or `[HOST]:PORT` means.

    :raises PlanError: it is neither
    """
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    number = int(port) if port.isascii() and port.isdigit() else -1
    if not colon or not host or (":" in host and not bracketed) or not 0 <= number <= 65535:
        raise PlanError(
            f"{FLAG} {text!r} is not HOST:PORT",
            hint="127.0.0.1:9464 is for this machine, 0.0.0.0:9464 for everybody, [::1]:9464 is"
            " IPv6; port 0 takes any that is free",
        )
    return Address(host[1:-1] if bracketed else host, number)


def bind(address: Address) -> socket.socket:
    """A socket that listens there.

    :raises PlanError: the port is taken, or the host is not one of this machine
    """
    where = f"{address.host}:{address.port}"
    try:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, kind, protocol, _, name = found[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise PlanError(
            f"{FLAG} {where}: {error.strerror}", hint="name a host or an address of this machine"
        ) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(name)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        with suppress(OSError):
            listener.close()
        raise PlanError(
            f"{FLAG} {where} cannot be listened on: {error.strerror}",
            hint="another run may have it: choose another port, or 0 for any that is free",
        ) from error
    return listener
