"""`dynaferry` whose event loop stops turning after some requests: `stuck_child HOW AFTER ARGUMENT…`

HOW is `busy` (at 100% CPU, in Python) or `asleep` (in a call that lets other threads run).
The watchdog's half minute takes less than a second here.
"""

import sys
import time
from types import ModuleType

from dynaferry.__main__ import main
from dynaferry.cli import watchdog
from dynaferry.dynamodb.client import RequestSeries

CHECK_SECONDS = 0.05
CHECKS = 10


def stick(how: str) -> None:
    """Does not return."""
    sys.stdout.write("stuck\n")
    sys.stdout.flush()
    while True:
        if how == "asleep":
            time.sleep(3600)


def stick_after(how: str, requests: int) -> None:
    """Has the loop stop in the middle of the request after so many."""
    send, left = RequestSeries.send, requests

    async def send_or_stick(series: RequestSeries, body: bytes) -> bytes:
        nonlocal left
        left -= 1
        if left < 0:
            stick(how)
        return await send(series, body)

    setattr(RequestSeries, "send", send_or_stick)  # noqa: B010  # mypy forbids to assign to a method


def watch_closely(module: ModuleType) -> None:
    """Shortens the half minute."""
    for name, value in (("CHECK_SECONDS", CHECK_SECONDS), ("MOST_CHECKS", CHECKS)):
        getattr(module, name)  # a constant that was renamed is noticed here
        setattr(module, name, value)


if __name__ == "__main__":
    _, how, after, watched, *arguments = sys.argv
    stick_after(how, int(after))
    if watched == "watched":
        watch_closely(watchdog)
    sys.argv = ["dynaferry", *arguments]
    main()
