"""Errors, sorted by what the caller should do.

Each class answers one question: correct the input, read the refusal, try again, isolate the
item, or stop. The retry policies, the writer and `run/outcome.py` act on that, and
`cli/exit_codes.py` turns it into an exit code; nobody decides by a message. Every error says what
happened and where, and may carry a hint: what to do now.
"""

from collections.abc import Sequence


class DynaferryError(Exception):
    """The root of every error that dynaferry raises on purpose.

    `message` says what happened and where; `hint`, where there is one, what to do now.
    Neither ever holds a credential.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        operation: str | None = None,
        table: str | None = None,
        segment: int | None = None,
    ) -> None:
        message = encodable(message)
        super().__init__(message)
        self.message = message
        self.hint = None if hint is None else encodable(hint)
        self.operation = operation
        self.table = table
        self.segment = segment


def encodable(text: str) -> str:
    """The text with what is no character written out: names of files may be any bytes."""
    return text.encode("utf-8", "backslashreplace").decode()


# Correct the input and call again ------------------------------------------------------------


class PlanError(DynaferryError):
    """The command line or the plan file asks for something that makes no sense."""


# Refused before anything was written ---------------------------------------------------------


class RefusedError(DynaferryError):
    """Nothing was copied, because going on would not be safe."""


class PreflightError(RefusedError):
    """The inspection of the tables showed that the copy would not be what was meant."""


class StateError(RefusedError):
    """The state file is broken, busy, or belongs to another run. It was left as it is."""


# Try the same call again ---------------------------------------------------------------------


class RetryableError(DynaferryError):
    """The same call may well succeed after a wait.

    `took_seconds` is how long the request was waited for, where that is part of the trouble.
    """

    took_seconds = 0.0


class ThrottledError(RetryableError):
    """The service refused the whole call for its rate.

    `code` is the service's error code; `reasons` are its (reason, resource ARN) pairs, which newer
    responses carry.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        reasons: Sequence[tuple[str, str]] = (),
        operation: str | None = None,
        table: str | None = None,
    ) -> None:
        super().__init__(message, operation=operation, table=table)
        self.code = code
        self.reasons = tuple(reasons)

    @property
    def words(self) -> Sequence[str]:
        """Why, in the service's words: its reasons, or where it gave none, its code."""
        return [reason for reason, _ in self.reasons] or [self.code]


class UnavailableError(RetryableError):
    """A 5xx response, a dropped connection, or a time-out. A write may have taken effect."""


class CorruptAnswerError(RetryableError):
    """A response was cut short, failed its checksum, or was not what the operation returns."""


class ImpossibleAnswerError(CorruptAnswerError):
    """A response came whole and cannot be true: an endpoint that repeats it is no service."""


class UnprocessedError(RetryableError):
    """The service took a batch and left some or all of its items for another time."""


# Isolate the item ----------------------------------------------------------------------------


class ItemRefusedError(DynaferryError):
    """The service refused a request for its content; sent again it would be refused again.

    `code` and `message` are the service's own words. One bad item refuses a whole batch, so the
    writer splits the batch until the item stands alone.
    """

    def __init__(
        self, message: str, *, code: str, operation: str | None = None, table: str | None = None
    ) -> None:
        super().__init__(message, operation=operation, table=table)
        self.code = code


class ConditionFailedError(DynaferryError):
    """The service did nothing, since the condition of a write did not hold.

    `item` is what it found instead, in wire form; None where it found nothing.
    """

    def __init__(
        self, message: str, *, item: bytes | None, operation: str, table: str | None = None
    ) -> None:
        super().__init__(message, operation=operation, table=table)
        self.item = item


# Stop; what was acknowledged is kept and the run can be resumed ------------------------------


class StoppedError(DynaferryError):
    """The run cannot go on now. Its state is kept; the same command resumes."""


class AccessDeniedError(StoppedError):
    """The role may not do this, or the credentials are not valid."""


class TableNotFoundError(StoppedError):
    """The table is not there (any more)."""


class NotReadyError(StoppedError):
    """What has to be there before a run can begin is under way, as a table that is being created.

    The same command goes on waiting for it.
    """


class StreamGoneError(StoppedError):
    """The stream is not there any more: it was disabled more than 24 hours ago."""


class ServiceGoneError(StoppedError):
    """The service accepted nothing for longer than the run's patience."""


class RequestRefusedError(StoppedError):
    """The service refused a request in a way that no wait and no split will repair."""


class RejectedItemError(StoppedError):
    """An item was refused, and the plan says to stop rather than to set it aside."""


class TooManyRejectedError(StoppedError):
    """More items were refused than the plan allows to set aside."""


class TablesFailedError(StoppedError):
    """Several tables of a run failed, each by itself: `errors` are theirs."""

    def __init__(
        self, message: str, *, hint: str | None = None, errors: Sequence[DynaferryError] = ()
    ) -> None:
        super().__init__(message, hint=hint)
        self.errors = tuple(errors)


class StateWriteError(StoppedError):
    """A checkpoint could not be stored (disk full, read-only, removed)."""


class LoopStalledError(StoppedError):
    """The event loop did not turn any more, so that the process had to be ended from outside."""


class TrimmedError(RetryableError):
    """The stream keeps its records for 24 hours; those that were asked for are older."""


class ShardGoneError(RetryableError):
    """The stream knows no such shard: it was trimmed, or the listing is not up to date."""


class ExpiredIteratorError(RetryableError):
    """An iterator is good for 15 minutes; another one leads to the same place."""
