"""What the service says to a reader of a stream, and the reader goes on after."""

from typing import Final

from dynaferry.errors import (
    DynaferryError,
    ExpiredIteratorError,
    ShardGoneError,
    StreamGoneError,
    TrimmedError,
)

# What a reader of a stream meets and goes on after [M:GetRecords, M:GetShardIterator].
_ERRORS: Final[dict[str, dict[str, type[DynaferryError]]]] = {
    "DescribeStream": {"ResourceNotFoundException": StreamGoneError},
    "GetShardIterator": {
        "TrimmedDataAccessException": TrimmedError,
        "ResourceNotFoundException": ShardGoneError,
    },
    "GetRecords": {
        "ExpiredIteratorException": ExpiredIteratorError,
        "TrimmedDataAccessException": TrimmedError,
        "ResourceNotFoundException": ShardGoneError,
    },
}


def error_in_stream(operation: str, code: str) -> type[DynaferryError] | None:
    """The error for the code of a response to `operation`; None where it is any error."""
    return _ERRORS.get(operation, {}).get(code)
