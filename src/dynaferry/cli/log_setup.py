"""The logging that --log-format and --log-level ask for, while a command runs."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO, cast

from dynaferry.cli import screen
from dynaferry.cli.flags import CopyFlags, LogFormatFlag
from dynaferry.observe.logs import ROOT, JsonLines, LogHandler, LogRun


@contextmanager
def log_set_up(flags: CopyFlags) -> Iterator[LogRun]:
    """Within, events go to stderr, beside what is said for eyes; in JSON both are events.

    The run is named once it is known.
    """
    run = LogRun()
    as_json = flags.log_format is LogFormatFlag.JSON
    before, logger = sys.stderr, logging.getLogger(ROOT)
    kept = (logger.level, logger.propagate)
    handler = LogHandler(screen.say, run, as_json=as_json)
    logger.addHandler(handler)
    logger.setLevel(flags.log_level.value.upper())
    logger.propagate = False
    if as_json:
        sys.stderr = cast("TextIO", JsonLines(sys.stderr, run))
    try:
        yield run
    finally:
        sys.stderr = before
        logger.removeHandler(handler)
        logger.level, logger.propagate = kept
