"""The server of one run: metrics and health for machines, a page for people.

It lives beside the copy in the same event loop, and is told everything by the run's lookout.
"""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.typedefs import Middleware
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from dynaferry.observe.lookout import Lookout
from dynaferry.observe.prometheus import registry_for
from dynaferry.web import guards
from dynaferry.web.address import Address

SHUTDOWN_SECONDS = 1.0
# Nothing that a run is sent is larger than a few numbers.
MOST_REQUEST_BYTES = 4096

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(
    lookout: Lookout, listener: socket.socket, address: Address
) -> AsyncIterator[None]:
    """Serves on a socket that listens already, until what is within has ended."""
    runner = web.AppRunner(
        application(lookout, address),
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


def application(lookout: Lookout, address: Address) -> web.Application:
    """Everything that a run serves, each answer behind the same guard."""
    app = web.Application(middlewares=[_guard(address)], client_max_size=MOST_REQUEST_BYTES)
    registry = registry_for(lookout)

    async def metrics(request: web.Request) -> web.Response:
        return _metrics(registry, request.headers.get("Accept", ""))

    async def healthz(_: web.Request) -> web.Response:
        return _health(lookout)

    app.router.add_get("/metrics", metrics)
    app.router.add_get("/healthz", healthz)
    return app


def _guard(address: Address) -> Middleware:
    @web.middleware
    async def guard(request: web.Request, handler: _Handler) -> web.StreamResponse:
        if not guards.host_may(request.headers.get("Host", ""), request.path, address):
            return _with_headers(web.Response(status=421, text="not under this name\n"))
        try:
            return _with_headers(await handler(request))
        except web.HTTPException as error:
            _with_headers(error)
            raise

    return guard


def _with_headers(response: web.StreamResponse) -> web.StreamResponse:
    if not response.prepared:
        response.headers.update(guards.HEADERS)
    return response


def _metrics(registry: CollectorRegistry, accept: str) -> web.Response:
    encode, content_type = choose_encoder(accept)
    return web.Response(body=encode(registry), headers={"Content-Type": content_type})


def _health(lookout: Lookout) -> web.Response:
    health = lookout.health
    return web.Response(status=200 if health.ok else 503, text=f"{health.reason}\n")
