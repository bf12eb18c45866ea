"""The server of one run: metrics and health for machines, a page for people.

It lives beside the copy in the same event loop, and is told everything by the run's lookout.
"""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.typedefs import Middleware
from anyio import to_thread
from msgspec import Struct
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from dynaferry.observe.lookout import Lookout
from dynaferry.observe.news import Newsreader
from dynaferry.observe.prometheus import registry_for
from dynaferry.web import guards
from dynaferry.web.address import Address
from dynaferry.web.assets import Asset, load
from dynaferry.web.control import Controls, answer
from dynaferry.web.events import Events

SHUTDOWN_SECONDS = 1.0
# Nothing that a run is sent is larger than a few numbers.
MOST_REQUEST_BYTES = 4096

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Site(Struct, frozen=True, kw_only=True):
    """What is served, and where.

    `settings` are shown as they are. Without `controls` nothing can be changed.
    """

    lookout: Lookout
    address: Address
    settings: Sequence[tuple[str, str]] = ()
    controls: Controls | None = None


@asynccontextmanager
async def serving(site: Site, listener: socket.socket) -> AsyncIterator[None]:
    """Serves on a socket that listens already, until what is within has ended."""
    assets = await to_thread.run_sync(load)
    runner = web.AppRunner(
        application(site, assets),
        access_log=None,
        handle_signals=False,
        shutdown_timeout=SHUTDOWN_SECONDS,
    )
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        yield
    finally:
        await runner.cleanup()


def application(site: Site, assets: Mapping[str, Asset]) -> web.Application:
    """Everything that a run serves, each answer behind the same guard."""
    app = web.Application(middlewares=[_guard(site.address)], client_max_size=MOST_REQUEST_BYTES)
    app.on_response_prepare.append(_add_headers)
    registry, events = registry_for(site.lookout), Events(site.lookout)

    async def metrics(request: web.Request) -> web.Response:
        return _metrics(registry, request.headers.get("Accept", ""))

    async def healthz(_: web.Request) -> web.Response:
        return _health(site.lookout)

    async def news(request: web.Request) -> web.StreamResponse:
        can_control = site.controls is not None
        reader = Newsreader(site.lookout, settings=site.settings, can_control=can_control)
        return await events.tell(request, reader)

    async def control(request: web.Request) -> web.Response:
        return await answer(request, site.controls)

    async def asset(request: web.Request) -> web.Response:
        found = assets[request.path]
        return web.Response(body=found.body, content_type=found.content_type, charset="utf-8")

    app.router.add_get("/metrics", metrics)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/events", news)
    app.router.add_post("/control", control)
    for path in assets:
        app.router.add_get(path, asset)
    return app


def _guard(address: Address) -> Middleware:
    @web.middleware
    async def guard(request: web.Request, handler: _Handler) -> web.StreamResponse:
        if not guards.host_may(request.headers.get("Host", ""), request.path, address):
            return web.Response(status=421, text="not under this name\n")
        return await handler(request)

    return guard


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(guards.HEADERS)


def _metrics(registry: CollectorRegistry, accept: str) -> web.Response:
    encode, content_type = choose_encoder(accept)
    return web.Response(body=encode(registry), headers={"Content-Type": content_type})


def _health(lookout: Lookout) -> web.Response:
    health = lookout.health
    return web.Response(status=200 if health.ok else 503, text=f"{health.reason}\n")
