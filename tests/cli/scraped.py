"""A child that serves what it does, asked as a scraper and a browser would."""

import http.client
import json
import re
import subprocess
from typing import Any
from urllib.parse import urlsplit

import anyio
from anyio import to_thread
from prometheus_client.parser import text_string_to_metric_families


def page_of(child: subprocess.Popen[str]) -> str:
    """Where the child serves what it does."""
    for line in child.stderr or ():
        found = re.search(r"metrics at (http://\S+/)metrics\)", line)
        if found is not None:
            return found[1]
    raise AssertionError("it ended before it served its metrics")


def token_of(child: subprocess.Popen[str]) -> str:
    """What its page is controlled with; said behind where it is served."""
    for line in child.stderr or ():
        found = re.search(r"#token=([\w-]+)", line)
        if found is not None:
            return found[1]
    raise AssertionError("it ended before it said its token")


class Scraper:
    """Asks a run's server as a scraper and a probe would."""

    def __init__(self, url: str) -> None:
        self.place = urlsplit(url).netloc

    async def ask(self, path: str) -> tuple[int, str]:
        return await to_thread.run_sync(self._ask, path)

    def _ask(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection(self.place, timeout=20)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    async def control(self, token: str, **change: object) -> int:
        """Asks for a change as the page does; the status of the answer."""
        return await to_thread.run_sync(self._control, token, change)

    def _control(self, token: str, change: dict[str, object]) -> int:
        connection = http.client.HTTPConnection(self.place, timeout=20)
        try:
            headers = {
                "Content-Type": "application/json",
                "X-Dynaferry-Token": token,
                "Origin": f"http://{self.place}",
            }
            connection.request("POST", "/control", json.dumps(change), headers)
            return connection.getresponse().status
        finally:
            connection.close()

    def first_update(self) -> dict[str, Any]:
        """What a page that is opened now is sent at first."""
        connection = http.client.HTTPConnection(self.place, timeout=20)
        try:
            connection.request("GET", "/events")
            line = connection.getresponse().readline()
            found: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
            return found
        finally:
            connection.close()

    async def metrics(self) -> dict[str, float]:
        """By name, with the state, direction or operation behind a colon where there is one."""
        _, text = await self.ask("/metrics")
        found = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                kinds = ("state", "direction", "operation")
                more = next((sample.labels[k] for k in kinds if k in sample.labels), None)
                name = sample.name.removeprefix("dynaferry_")
                found[f"{name}:{more}" if more else name] = sample.value
        return found

    async def until(self, name: str, value: float) -> dict[str, float]:
        """The metrics once this one is so much."""
        with anyio.fail_after(60):
            while True:
                found = await self.metrics()
                if found.get(name) == value:
                    return found
                await anyio.sleep(0.2)
