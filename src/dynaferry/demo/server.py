"""Two AWS accounts on this machine: moto behind HTTP on a loopback port, in a process of its own.

`python -m dynaferry.demo.server` prints its port as its first line. Each number that it reads from
stdin asks it to fill the source table with that many items, and the same number is printed back. It
ends when stdin is closed, so also when the demo is killed. A process of its own, because it would
compete with the copy for one interpreter.
"""

import logging
import os
import sys
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any

from moto.backends import get_backend
from moto.moto_server import threaded_moto_server
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler
from moto.server import ThreadedMotoServer

from dynaferry.demo import accounts
from dynaferry.demo.items import make_items
from dynaferry.demo.moto_speed import make_faster

LOOPBACK = "127.0.0.1"


def main() -> None:
    """Serves until stdin is closed."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    # HTTP/1.0 would open a connection for every request.
    MotoRequestHandler.protocol_version = "HTTP/1.1"
    make_faster()
    setattr(threaded_moto_server, "DomainDispatcherApplication", _OneByOne)  # noqa: B010
    _create_role()
    server = ThreadedMotoServer(LOOPBACK, port=0, verbose=False)
    server.start()
    _print_line(server.get_host_and_port()[1])
    for line in sys.stdin:
        _fill_source(int(line))
        _print_line(int(line))
    # There is nothing to save, and an orderly end would wait for connections that are kept open.
    os._exit(0)


class _OneByOne(DomainDispatcherApplication):
    """moto, one request at a time: a table that is scanned while it is written breaks the scan."""

    def __init__(self, create_app: Callable[..., Any]) -> None:
        super().__init__(create_app)
        self._turn = Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with self._turn:
            response: Iterable[bytes] = super().__call__(environ, start_response)
        return response


def _print_line(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _create_role() -> None:
    get_backend("iam")[accounts.TARGET_ACCOUNT]["aws"].create_role(
        role_name=accounts.ROLE_NAME,
        assume_role_policy_document=accounts.trust_policy(),
        path="/",
        permissions_boundary=None,
        description="what the demo copies as",
        tags=[],
        max_session_duration="3600",
    )


def _fill_source(count: int) -> None:
    """Fills the source table behind its API, which takes a third of the time.

    Filling is not what the demo shows: the copy and the check go through the API.
    """
    source = get_backend("dynamodb")[accounts.SOURCE_ACCOUNT][accounts.SOURCE_REGION]
    for item in make_items(count):
        source.put_item(accounts.TABLE, item)


if __name__ == "__main__":
    main()
