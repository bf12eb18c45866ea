"""Fields that two shapes have under the same name."""

from collections.abc import Collection
from typing import Any

from msgspec import Struct


def named_fields(
    shape: Struct, names: Collection[str], but: Collection[str] = ()
) -> dict[str, Any]:
    """The fields of `shape` that have one of these names, except those in `but`."""
    return {
        name: getattr(shape, name)
        for name in shape.__struct_fields__
        if name in names and name not in but
    }
