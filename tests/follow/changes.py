"""Changes as a stream would bring them, for the tests of this folder."""

from dynaferry.dynamodb.items.canonical import digest_of
from dynaferry.ports import ChangeKind, ChangeRecord


def key_named(name: str) -> bytes:
    """The canonical key of an item."""
    return b'{"pk":{"S":"%b"}}' % name.encode()


def image_of(name: str, version: int) -> bytes:
    """An item in wire form."""
    return b'{"pk":{"S":"%b"},"v":{"N":"%d"}}' % (name.encode(), version)


def change(
    name: str,
    version: int | None,
    *,
    view: str = "NEW_IMAGE",
    created_at: float = 0.0,
    is_expiry: bool = False,
) -> ChangeRecord:
    """The item is of this version now; None: it is deleted."""
    key = key_named(name)
    kind, image = ChangeKind.READ_AGAIN, None
    if view.startswith("NEW_"):
        kind = ChangeKind.DELETE if version is None else ChangeKind.PUT
        image = None if version is None else image_of(name, version)
    return ChangeRecord(digest_of(key), key, kind, image, created_at, is_expiry)
