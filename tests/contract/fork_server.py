"""Runs command lines of dynaferry, each in a process of its own that need not import it anew.

A program: it imports the whole package, then reads one JSON object a line, forks, and in the child
is `python -m dynaferry`. Its answer is the exit code. So a hundred commands take a minute less.
"""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import runpy
import sys
import time
from typing import Any


def import_everything() -> None:
    """Imports the package, whatever its modules are called today."""
    package = importlib.import_module("dynaferry")
    for module in pkgutil.walk_packages(package.__path__, "dynaferry."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def become(asked: dict[str, Any]) -> None:
    """Becomes the command that is asked for, and ends with its exit code."""
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    time.tzset()
    for descriptor, path in ((1, asked["out"]), (2, asked["err"])):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv = ["dynaferry", *asked["typed"]]
    code: object = 1
    try:
        runpy.run_module("dynaferry", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    finally:
        # To take a large interpreter down takes longer than most commands do.
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else code is not None)


def serve() -> None:
    """Until stdin ends."""
    import_everything()
    gc.freeze()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            become(json.loads(line))
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    del sys.path[0]  # this file's directory, whose names hide others
    serve()
