"""The addresses of one endpoint: tried a moment apart, and those that do not respond last.

A name may stand for several addresses of which one leads nowhere (a zone of a VPC endpoint that is
down, IPv6 without a route). Whichever opens first is taken, as browsers do [RFC 8305]; what was
tried before it, or did not respond later, is tried last for a while, so that nobody waits for it
again.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Sequence

from aiohappyeyeballs import AddrInfoType, start_connection

NEXT_ADDRESS_SECONDS = 0.25
SHUNNED_SECONDS = 60.0

# An address and a port.
Peer = tuple[str, int]


class Addresses:
    """Where `host` listens by now: a name is looked up for each connection, since it may move."""

    def __init__(
        self, host: str, port: int, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._host = host
        self._port = port
        self._clock = clock
        self._shunned_until: dict[Peer, float] = {}

    async def connect(self) -> socket.socket:
        """A socket that is connected to one of them.

        :raises OSError: the name is not known, or none of them opens
        """
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        if not found:
            raise OSError(f"{self._host} has no address")
        in_order = self.in_order(found, self._clock())
        connected = await start_connection(
            in_order, happy_eyeballs_delay=NEXT_ADDRESS_SECONDS, loop=loop
        )
        peer = peer_of(connected)
        for *_, address in in_order:
            if _peer(address) == peer:
                break
            self.shun(_peer(address))
        return connected

    def in_order(self, found: Sequence[AddrInfoType], now: float) -> list[AddrInfoType]:
        """Those that respond first, each part in the order of the resolver."""
        return sorted(found, key=lambda each: self._shunned_until.get(_peer(each[4]), 0.0) > now)

    def shun(self, peer: Peer) -> None:
        """It did not respond."""
        self._shunned_until[peer] = self._clock() + SHUNNED_SECONDS


def peer_of(connected: socket.socket) -> Peer:
    """What a socket is connected to."""
    return _peer(connected.getpeername())


def _peer(address: Sequence[object]) -> Peer:
    host, port = address[:2]
    return str(host), int(str(port))
