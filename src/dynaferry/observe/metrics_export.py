"""The export of metrics without a scrape: to a Pushgateway, and to a file for node_exporter.

The metrics are taken in the event loop, in one go, and carried away by a thread. Neither a gateway
that is gone nor a disk that is full stops a copy; it is said once.

A thread that nobody waits for any more still carries. So they carry one at a time, and what was
taken earlier never arrives after what was taken later: in the end it says how the run ended.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from http.client import HTTPException
from pathlib import Path
from threading import Lock
from urllib.error import HTTPError

import anyio
from anyio import to_thread
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import generate_latest, push_to_gateway
from prometheus_client.registry import Collector

from dynaferry.errors import PlanError
from dynaferry.observe.monitor import RunMonitor
from dynaferry.observe.prometheus import RunCollector
from dynaferry.shared.files import write_whole
from dynaferry.shared.urls import checked_url

EVERY_SECONDS = 15.0
PUSH_TIMEOUT_SECONDS = 5.0
LAST_EXPORT_SECONDS = 6.0
JOB = "dynaferry"
# What carrying raises when the place is not there.
FAILURES = (OSError, HTTPException)

# Carries metrics to their place; blocks.
Carry = Callable[[CollectorRegistry], None]


class Export:
    """A regular export of one run's metrics to one destination."""

    def __init__(
        self, monitor: RunMonitor, place: str, carry: Carry, say: Callable[[str], None]
    ) -> None:
        self._collector = RunCollector(monitor)
        self._place = place
        self._carry = carry
        self._say = say
        self._has_failed = False
        self._taken, self._carried = 0, 0
        self._carrying = Lock()

    async def once(self) -> None:
        """Exports now; a failure is said the first time, and never raised."""
        try:
            await self.attempt()
        except FAILURES as error:
            if not self._has_failed:
                self._say(f"metrics cannot be brought to {self._place}: {reason_of(error)}")
            self._has_failed = True

    async def attempt(self) -> None:
        """Exports now.

        :raises OSError: the export failed; or an HTTPException
        """
        registry = CollectorRegistry()
        registry.register(_Taken(list(self._collector.collect())))
        self._taken += 1
        await to_thread.run_sync(self._carry_in_turn, registry, self._taken, abandon_on_cancel=True)

    def _carry_in_turn(self, registry: CollectorRegistry, number: int) -> None:
        """In a thread: carries it, unless something newer is there already."""
        with self._carrying:
            if number > self._carried:
                self._carry(registry)
                self._carried = number

    async def regularly(self, *, sleep: Callable[[float], Awaitable[None]] = anyio.sleep) -> None:
        """Exports at even intervals until it is cancelled."""
        while True:
            await self.once()
            await sleep(EVERY_SECONDS)

    async def last(self) -> None:
        """Exports once more, so that what stays is how the run ended."""
        with anyio.move_on_after(LAST_EXPORT_SECONDS, shield=True):
            await self.once()


def to_gateway(monitor: RunMonitor, url: str, say: Callable[[str], None]) -> Export:
    """The export to a Pushgateway, under the job `dynaferry` and the run's name.

    :raises PlanError: it is no URL
    """
    checked_url("--metrics-push", url, example="http://pushgateway:9091")
    carry = partial(_push, url=url, grouping={"run": monitor.run})
    return Export(monitor, url, carry, say)


def to_textfile(monitor: RunMonitor, path: Path, say: Callable[[str], None]) -> Export:
    """The export to a file that is replaced as a whole each time.

    :raises PlanError: its name is not one that node_exporter reads
    """
    if path.suffix != ".prom":
        raise PlanError(
            f"--metrics-textfile {path} does not end in .prom",
            hint="node_exporter reads only the *.prom of its textfile directory",
        )
    return Export(monitor, str(path), partial(_write, path=path), say)


def _push(registry: CollectorRegistry, *, url: str, grouping: dict[str, str]) -> None:
    try:
        push_to_gateway(
            url, job=JOB, registry=registry, grouping_key=grouping, timeout=PUSH_TIMEOUT_SECONDS
        )
    except HTTPError as response:
        response.close()  # it holds its connection
        raise


def _write(registry: CollectorRegistry, *, path: Path) -> None:
    # node_exporter is another user
    write_whole(path, generate_latest(registry), private=False)


def reason_of(error: Exception) -> str:
    """The reason of a failed export, without the numbers and classes around it."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    cause = getattr(error, "reason", None)
    return reason_of(cause) if isinstance(cause, Exception) else str(error)


class _Taken(Collector):
    """Metrics as they were at one moment."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        return iter(self._metrics)
