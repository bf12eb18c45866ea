"""Every metric of a run under way, as its /metrics prints them."""

import http.client
import re
import subprocess
import time
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tests.contract.world import SECONDS, ContractWorld, copy

# Each metric in one line: its type, its name, its labels, and its help text.
Metrics = dict[str, str]

# What scrapers, probes and people open.
PATHS: Final = ("/", "/metrics", "/healthz", "/livez")
_WATCHED: Final = re.compile(r"metrics at (http://\S+)\)")
_SAMPLE: Final = re.compile(r"^(\w+)(?:\{(.*)\})? ")
_LABEL: Final = re.compile(r'(\w+)="')
_PART: Final = re.compile(r"_(bucket|count|sum|created)$")


def of_a_run(
    world: ContractWorld,
    cwd: Path,
    wanted: set[str],
    seconds: float,
    paths: dict[str, str] | None = None,
) -> Metrics:
    """What a copy tells until all that is wanted was seen, or so many seconds are over.

    `paths` is filled with what is answered under each of PATHS.
    """
    world.make_tables()
    world.service.throttles_once = "BatchWriteItem"
    more = ("--max-write-units", "5", "--max-read-units", "5", "--finish-by", "2099-01-01T00:00Z")
    child = world.start(cwd, *copy("--metrics-listen", "127.0.0.1:0", *more))
    try:
        url = _address(child)
        help_texts: dict[str, str] = {}
        types: dict[str, str] = {}
        labels: dict[str, set[str]] = {}
        end = time.monotonic() + seconds
        while time.monotonic() < end and (not wanted or wanted - labels.keys()):
            _read(_page(url), help_texts, types, labels)
            time.sleep(0.1)
        if paths is not None:
            paths |= {path: _got(url.replace("/metrics", path))[0] for path in PATHS}
        return {
            name: f"{types[name]} {name}{{{','.join(sorted(found))}}} {help_texts[name]}"
            for name, found in sorted(labels.items())
        }
    finally:
        child.kill()
        child.communicate()


def _address(child: subprocess.Popen[str]) -> str:
    for line in child.stderr or ():
        found = _WATCHED.search(line)
        if found is not None:
            return found[1]
    raise RuntimeError("the copy ended before it served its metrics")


def _page(url: str) -> str:
    return _got(url)[1]


def _got(url: str) -> tuple[str, str]:
    """Status and kind of an answer, and its text."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=SECONDS)
    try:
        connection.request("GET", parts.path)
        answer = connection.getresponse()
        kind = answer.headers.get_content_type()
        return f"{answer.status} {kind}", answer.read().decode()
    finally:
        connection.close()


def _read(
    page: str, help_texts: dict[str, str], types: dict[str, str], labels: dict[str, set[str]]
) -> None:
    for line in page.splitlines():
        if line.startswith("# HELP "):
            _, _, name, text = line.split(" ", 3)
            help_texts[name] = text
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ", 3)
            types[name] = kind
        elif (found := _SAMPLE.match(line)) is not None:
            name = found[1] if found[1] in types else _PART.sub("", found[1])
            labels.setdefault(name, set()).update(_LABEL.findall(found[2] or ""))
