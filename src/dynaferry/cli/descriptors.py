"""The limit on open files and connections, checked before a copy needs them.

A descriptor that is not to be had fails a connection in the middle of a copy, or a checkpoint. The
soft limit is raised as far as the system allows; where that is too little, a line says so.
"""

import resource
from collections.abc import Callable
from typing import Final

from dynaferry.errors import PlanError

# State files, logs, certificates, name look-ups, calls of the control plane, pipes.
OWN: Final = 48
# With fewer there is no room for a copy at all.
LEAST_DESCRIPTORS: Final = OWN + 16


def ensure(connections: int, *, watched: bool, say: Callable[[str], None]) -> None:
    """Raises the limit to what `connections` need; `say` gets a line where that is not allowed.

    :raises PlanError: the limit leaves next to none
    """
    needed = connections + OWN + (_of_watchers() if watched else 0)
    allowed = _raised_to(needed)
    if allowed >= needed:
        return
    if allowed < LEAST_DESCRIPTORS:
        raise PlanError(
            f"this process may have {allowed} files and connections open; "
            f"{LEAST_DESCRIPTORS} are the least",
            hint="raise the limit: ulimit -n 1024",
        )
    say(
        f"this process may have {allowed} files and connections open, and this may need {needed}:"
        " fewer --readers and --writers need fewer, and ulimit -n raises it"
    )


def _of_watchers() -> int:
    from dynaferry.web.doors import BACKLOG, MOST_CONNECTIONS

    return MOST_CONNECTIONS + BACKLOG


def _raised_to(needed: int) -> int:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return needed
    wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if wanted > soft:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):  # some systems allow less than they say
            return soft
    return max(soft, wanted)
