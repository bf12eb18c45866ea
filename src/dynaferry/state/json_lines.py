"""Items as lines of JSON: what exports and the file of overwritten items have in common."""

from datetime import UTC, datetime

from msgspec import Raw, Struct


class ExportedError(Struct, frozen=True):
    """The service's own words about an item."""

    code: str
    message: str


def one_line(wire: bytes) -> Raw:
    """The same JSON without a line break between its tokens."""
    # Inside a JSON string a line break is escaped; a bare one is between tokens and means nothing.
    return Raw(wire.replace(b"\r", b" ").replace(b"\n", b" "))


def iso_time(seconds: float) -> str:
    """A moment, in seconds since the epoch, as the exports write it: in UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
