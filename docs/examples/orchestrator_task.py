"""A copy as a task of an orchestrator (Airflow, Dagster, Prefect): a process, and its exit code.

The process may die or be stopped and the task be tried again, on another worker too as long as the
state directory is on a volume that both have: the same command resumes.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

# 5: an error of the service, or one table of several; 130: stopped by a signal. A negative code is
# the signal that killed the process, and 137 the same as a container tells it.
RETRY = frozenset({5, 130, 137, -signal.SIGKILL, -signal.SIGTERM})


class TryAgain(Exception):  # noqa: N818  # it is no error of the task
    """The same task resumes. Airflow retries any exception; in Dagster raise `RetryRequested`."""


class GiveUp(Exception):  # noqa: N818
    """A person has to decide. In Airflow raise `AirflowFailException`; in Dagster
    `Failure(allow_retries=False)`; in Prefect let `retry_condition_fn` return False for it.
    """


def copy_task(arguments: Sequence[str]) -> dict[str, Any]:
    """Runs `dynaferry copy` with these arguments; returns the document that --json prints.

    :raises TryAgain: the same task resumes
    :raises GiveUp: it would end in the same way again; the document says why
    """
    command = [sys.executable, "-m", "dynaferry", "copy", *arguments, "--json"]
    # stderr goes to the task's log: progress, a line every ten seconds.
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)  # noqa: S603
    if done.returncode in RETRY:
        raise TryAgain(f"exit code {done.returncode}: the same command resumes")
    document: dict[str, Any] = json.loads(done.stdout or b"{}")
    if done.returncode != 0:
        error = document.get("error") or {}
        raise GiveUp(f"exit code {done.returncode}: {error.get('message', document.get('status'))}")
    return document
