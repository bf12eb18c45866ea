"""Items without the attributes that a global table of version 2017.11.29 sets by itself.

Such a table writes `aws:rep:deleting`, `aws:rep:updateregion` and `aws:rep:updatetime` into each
item, and writes them anew with every put: copied, they would say of the target what is true of the
source, and two such tables never have the same. They are the service's own, and are left out: the
one exception to bytes in, bytes out (invariant 3), made only for tables of that kind. All other
attributes keep their bytes.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from dynaferry.errors import ConditionFailedError
from dynaferry.ports import FoundItems, ItemRepairer, KeyLookup, Page, PageSource, Replaced

PREFIX: Final = "aws:rep:"
_MARK: Final = f'"{PREFIX}'.encode()

_decode_attributes = msgspec.json.Decoder(dict[str, Raw]).decode


def without_them(item: Raw) -> Raw:
    """The item without these attributes; one that has none, or cannot be read, is given back."""
    if _MARK not in bytes(item):
        return item
    try:
        attributes = _decode_attributes(item)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return item
    kept = {name: value for name, value in attributes.items() if not name.startswith(PREFIX)}
    return item if len(kept) == len(attributes) else Raw(msgspec.json.encode(kept))


def bytes_without_them(item: Raw) -> bytes:
    """The same, as bytes of their own: they keep nothing else in memory."""
    return bytes(without_them(item))


def _if_there(item: bytes | None) -> bytes | None:
    return None if item is None else bytes_without_them(Raw(item))


class PagesWithoutThem:
    """A `PageSource` over another: as many items, less of each."""

    def __init__(self, pages: PageSource) -> None:
        self._pages = pages

    @property
    def full_page_units(self) -> float:
        """The read units of a full page."""
        return self._pages.full_page_units

    async def read_page(
        self, segment: int, exclusive_start_key: bytes | None, limit: int | None = None
    ) -> Page:
        """Reads one page; see `PageSource`."""
        page = await self._pages.read_page(segment, exclusive_start_key, limit)
        return replace(page, items=[without_them(item) for item in page.items])


class LookupWithoutReplicationAttributes:
    """A `KeyLookup` over another."""

    def __init__(self, lookup: KeyLookup) -> None:
        self._lookup = lookup

    async def find_items(self, keys: Sequence[bytes]) -> FoundItems:
        """Asks for the items; see `KeyLookup`."""
        found = await self._lookup.find_items(keys)
        return replace(found, items=[without_them(item) for item in found.items])


class RepairerWithoutReplicationAttributes:
    """An `ItemRepairer` over another, whose target is perhaps such a table itself.

    What is put and what was seen have been read without them.
    """

    def __init__(self, repairer: ItemRepairer) -> None:
        self._repairer = repairer

    async def put_if_unchanged(self, item: bytes, seen: bytes | None) -> Replaced:
        """Puts the item; see `ItemRepairer`."""
        try:
            return _replaced(await self._repairer.put_if_unchanged(item, seen))
        except ConditionFailedError as error:
            error.item = _if_there(error.item)
            raise

    async def delete_if_unchanged(self, key: bytes, seen: bytes) -> Replaced:
        """Deletes the item; see `ItemRepairer`."""
        try:
            return _replaced(await self._repairer.delete_if_unchanged(key, seen))
        except ConditionFailedError as error:
            error.item = _if_there(error.item)
            raise


def lookup_of(lookup: KeyLookup, *, leave_out: bool) -> KeyLookup:
    """The lookup as it is, or without these attributes."""
    return LookupWithoutReplicationAttributes(lookup) if leave_out else lookup


def pages_of(pages: PageSource, *, leave_out: bool) -> PageSource:
    """The pages as they are, or without these attributes."""
    return PagesWithoutThem(pages) if leave_out else pages


def _replaced(replaced: Replaced) -> Replaced:
    return replace(replaced, item=_if_there(replaced.item))
