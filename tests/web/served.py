"""A run's server on a free port of this machine, asked as a browser or a scraper would."""

import http.client
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from anyio import to_thread

from dynaferry.observe.monitor import RunMonitor
from dynaferry.web.address import Address, bind
from dynaferry.web.control import ControlsView
from dynaferry.web.server import Site, serving
from dynaferry.web.switch import SwitchDesk

RESUME = "dynaferry copy --plan 'my move.toml' --run orders"
DEAD_LETTERS = "dynaferry dead-letters list orders"


@dataclass(frozen=True)
class Answer:
    """What the server answered."""

    status: int
    headers: Mapping[str, str]
    text: str


@dataclass(frozen=True)
class Served:
    """A server that runs."""

    port: int

    async def get(self, path: str, **headers: str) -> Answer:
        """Asks, under `Host: 127.0.0.1` unless told otherwise."""
        return await self.ask("GET", path, None, headers)

    async def ask(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Answer:
        """Asks with these headers."""
        return await to_thread.run_sync(self._ask, method, path, body, headers)

    def _ask(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read().decode())
        finally:
            connection.close()


@asynccontextmanager
async def served(
    monitor: RunMonitor,
    controls: ControlsView | None = None,
    switch: SwitchDesk | None = None,
    *,
    host: str = "127.0.0.1",
) -> AsyncIterator[Served]:
    """Serves what `monitor` sees."""
    address = Address(host, 0)
    listener = bind(address)
    port = listener.getsockname()[1]
    site = Site(
        monitor=monitor,
        address=address,
        settings=[("writers", "32")],
        controls=controls,
        switch=switch,
        resume_command=RESUME,
        dead_letters_command=DEAD_LETTERS,
    )
    async with serving(site, listener):
        yield Served(port)
