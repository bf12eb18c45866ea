"""Items as lines of JSON: what an export of dead letters and the file of overwritten items have
in common.
"""

from msgspec import Raw, Struct


class ExportedError(Struct, frozen=True):
    """The service's own words about an item."""

    code: str
    message: str


def one_line(wire: bytes) -> Raw:
    """The same JSON without a line break between its tokens."""
    # Inside a JSON string a line break is escaped; a bare one is between tokens and means nothing.
    return Raw(wire.replace(b"\r", b" ").replace(b"\n", b" "))
