"""The updates of a run for an open page, as server-sent events, until the run has ended."""

import asyncio
from collections.abc import Callable

import msgspec
from aiohttp import web

from dynaferry.observe.monitor import RunMonitor
from dynaferry.web.feed import Feed

# Each costs a little of the time that the copy could have.
MOST_PAGES = 16
LISTENING_SECONDS = 30.0


class Events:
    """The streams of server-sent events, one for each open page; at most `MOST_PAGES`."""

    def __init__(self, monitor: RunMonitor, note_pages: Callable[[int], None]) -> None:
        """`note_pages` is told how many pages are open, as often as that changes."""
        self._monitor = monitor
        self._note_pages = note_pages
        self._open = 0

    async def stream(self, request: web.Request, reader: Feed) -> web.StreamResponse:
        """Sends one page everything, then what is new, until the run has ended."""
        if self._open >= MOST_PAGES:
            return web.Response(status=503, text=f"{MOST_PAGES} pages are open already\n")
        self._open += 1
        self._note_pages(self._open)
        try:
            return await self._stream(request, reader)
        finally:
            self._open -= 1
            self._note_pages(self._open)

    async def _stream(self, request: web.Request, reader: Feed) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        while True:
            # Taken before the update is: a sample that comes while it is sent is not missed.
            refreshed, ended = self._monitor.refreshed, self._monitor.phase == "ended"
            try:
                async with asyncio.timeout(LISTENING_SECONDS):
                    news = reader.news()
                    await response.write(b"data: %b\n\n" % msgspec.json.encode(news))
            except ConnectionError:  # the page was closed
                return response
            except TimeoutError:  # it is there and takes nothing
                if request.transport is not None:
                    request.transport.abort()
                return response
            if ended and not news.more:
                return response
            if not ended:
                await refreshed.wait()
