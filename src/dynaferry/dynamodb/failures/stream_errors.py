"""What the service says to a reader of a stream, and the reader goes on after."""

from typing import Final

from dynaferry.errors import DynaferryError, ExpiredIteratorError, ShardGoneError, TrimmedError

# What a reader of a stream meets and goes on after [M:GetRecords, M:GetShardIterator].
STREAM_ERRORS: Final[dict[str, dict[str, type[DynaferryError]]]] = {
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
