"""The server of one run: metrics and health for machines, a page for people.

It lives beside the copy in the same event loop, and reads everything from the run's monitor. So any
response says that the loop turns. `/livez` says no more than that: a run that is slow, throttled or
paused is alive. Whether it gets on, `/healthz` says.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.typedefs import Middleware
from anyio import to_thread
from msgspec import Struct
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from dynaferry.observe.monitor import RunMonitor
from dynaferry.observe.prometheus import registry_for
from dynaferry.web import detail, guards
from dynaferry.web.address import Address
from dynaferry.web.assets import Asset, load
from dynaferry.web.control import ControlsView, respond
from dynaferry.web.doors import Doors, listening
from dynaferry.web.events import Events
from dynaferry.web.feed import Feed, Shown
from dynaferry.web.switch import SwitchDesk
from dynaferry.web.switch import respond as respond_to_switch

SHUTDOWN_SECONDS = 1.0
# Between two requests of one connection, and for one request.
IDLE_CONNECTION_SECONDS = 30.0
RESPONSE_SECONDS = 20.0
EVENTS = "/events"
# Nothing that a run is sent is larger than a few numbers.
MOST_REQUEST_BYTES = 4096

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Site(Struct, frozen=True, kw_only=True):
    """The settings of a server: what it serves, and where.

    `settings` are shown as they are. Without `controls` nothing can be changed. `switch` is there
    where tables are moved. `resume_command` resumes the run after it has stopped, `resume_note`
    says what has to be added to it, and `dead_letters_command` lists its rejected items: they hold
    paths of this machine, and are shown where nobody else can see the page.
    """

    monitor: RunMonitor
    address: Address
    settings: Sequence[tuple[str, str]] = ()
    controls: ControlsView | None = None
    switch: SwitchDesk | None = None
    resume_command: str | None = None
    resume_note: str | None = None
    dead_letters_command: str | None = None


@asynccontextmanager
async def serving(site: Site, listener: socket.socket) -> AsyncIterator[None]:
    """Serves on a socket that listens already, until what is within has ended."""
    assets = await to_thread.run_sync(load)
    doors = Doors(lambda: _server_of(runner)())
    runner = web.AppRunner(
        application(site, assets, doors),
        access_log=None,
        handle_signals=False,
        shutdown_timeout=SHUTDOWN_SECONDS,
        keepalive_timeout=IDLE_CONNECTION_SECONDS,
    )
    await runner.setup()
    try:
        async with listening(doors, listener):
            yield
    finally:
        await runner.cleanup()


def _server_of(runner: web.AppRunner) -> web.Server:
    if runner.server is None:
        raise RuntimeError("the server has ended")
    return runner.server


def application(site: Site, assets: Mapping[str, Asset], doors: Doors) -> web.Application:
    """The aiohttp application that serves a run, each response behind the same guard."""
    app = web.Application(
        middlewares=[_guard(site.address, doors)], client_max_size=MOST_REQUEST_BYTES
    )
    app.on_response_prepare.append(_add_headers)
    pages = _Pages(site, assets)
    app.router.add_get("/metrics", pages.metrics)
    app.router.add_get("/healthz", pages.healthz)
    app.router.add_get("/livez", pages.livez)
    app.router.add_get(EVENTS, pages.news)
    app.router.add_get("/table", pages.table)
    app.router.add_post("/control", pages.control)
    app.router.add_post("/switch", pages.switch)
    for path in assets:
        app.router.add_get(path, pages.asset)
    return app


class _Pages:
    """What a run responds to each request."""

    def __init__(self, site: Site, assets: Mapping[str, Asset]) -> None:
        self._site = site
        self._assets = assets
        self._registry = registry_for(site.monitor)
        note_pages = _note_no_pages if site.switch is None else site.switch.note_pages
        self._events = Events(site.monitor, note_pages)
        self._shown = Shown(
            settings=site.settings,
            can_control=site.controls is not None,
            switch=lambda: None if site.switch is None else site.switch.news,
            resume_command=site.resume_command,
            resume_note=site.resume_note,
            dead_letters_command=site.dead_letters_command,
            shows_commands=site.address.is_loopback,
        )

    async def metrics(self, request: web.Request) -> web.Response:
        return _metrics(self._registry, ",".join(request.headers.getall("Accept", ())))

    async def healthz(self, _: web.Request) -> web.Response:
        return _health(self._site.monitor)

    async def livez(self, _: web.Request) -> web.Response:
        return web.Response(text="the event loop turns\n")

    async def news(self, request: web.Request) -> web.StreamResponse:
        return await self._events.stream(request, Feed(self._site.monitor, self._shown))

    async def table(self, request: web.Request) -> web.Response:
        return detail.respond(request, self._site.monitor)

    async def control(self, request: web.Request) -> web.Response:
        return await respond(request, self._site.controls)

    async def switch(self, request: web.Request) -> web.Response:
        controls = self._site.controls
        token = None if controls is None else controls.token
        return await respond_to_switch(request, self._site.switch, token)

    async def asset(self, request: web.Request) -> web.Response:
        found = self._assets[request.path]
        return web.Response(body=found.body, content_type=found.content_type, charset="utf-8")


def _note_no_pages(_: int) -> None:
    """Nobody is to know how many pages are open."""


def _guard(address: Address, doors: Doors) -> Middleware:
    @web.middleware
    async def guard(request: web.Request, handler: _Handler) -> web.StreamResponse:
        if not guards.host_may(request.headers.get("Host", ""), request.path, address):
            return web.Response(status=421, text="not under this name\n")
        with doors.asking(request.transport):
            if request.path == EVENTS:  # for as long as the run lasts
                return await handler(request)
            try:
                async with asyncio.timeout(RESPONSE_SECONDS):
                    return await handler(request)
            except TimeoutError:
                return web.Response(status=408, text="the request did not come in time\n")

    return guard


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(guards.HEADERS)


def _metrics(registry: CollectorRegistry, accept: str) -> web.Response:
    """In the form that was asked for; in the plain one where that is not understood."""
    try:
        if not (accept.isascii() and accept.isprintable()):
            raise ValueError("a header that is no text")
        encode, content_type = choose_encoder(accept)
        body = encode(registry)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        encode, content_type = choose_encoder("")
        body = encode(registry)
    return web.Response(body=body, headers={"Content-Type": content_type})


def _health(monitor: RunMonitor) -> web.Response:
    health = monitor.health
    return web.Response(status=200 if health.ok else 503, text=f"{health.reason}\n")
