"""The export of dead letters: as JSON lines for programs, as short lines for people.

Key and item are put into the line as they came from the source, never decoded (invariant 3).
"""

from collections.abc import AsyncIterator
from typing import Final

import msgspec
from msgspec import Raw, Struct

from dynaferry.shared.printable import shortened
from dynaferry.state.json_lines import ExportedError, iso_time, one_line
from dynaferry.state.records import DeadLetter
from dynaferry.state.store import StateStore

# Items of 400 KB may be 3 MB of JSON each, and a store may hold any number of them.
LETTERS_A_PAGE: Final = 25

_KEY_WIDTH = 80
_MESSAGE_WIDTH = 120


class ExportedLetter(Struct, frozen=True):
    """One line of an export. Field names are a contract with scripts.

    An item that was refused while its table was followed is of no segment: -1.
    """

    table: str
    segment: int
    key: Raw
    item: Raw
    error: ExportedError
    time: str


class ListedLetter(Struct, frozen=True):
    """One letter of a list: as in an export, without the item."""

    table: str
    segment: int
    key: Raw
    error: ExportedError
    time: str


async def pages_of_letters(store: StateStore, table: int) -> AsyncIterator[list[DeadLetter]]:
    """A table's letters, as far as they are counted, a few at a time (invariant 5)."""
    after: DeadLetter | None = None
    while letters := await store.read_counted_dead_letters(table, after, LETTERS_A_PAGE):
        yield letters
        after = letters[-1]


def export_line(letter: DeadLetter, table: str) -> bytes:
    """The letter as one line of JSON, with its line break; `table` is the source's name or ARN."""
    return (
        msgspec.json.encode(
            ExportedLetter(
                table=table,
                segment=letter.segment,
                key=one_line(letter.key),
                item=one_line(letter.item),
                error=ExportedError(letter.error_code, letter.error_message),
                time=iso_time(letter.time),
            )
        )
        + b"\n"
    )


def listed(letter: DeadLetter, table: str) -> ListedLetter:
    """The letter for a program that wants to know which and why, and not what."""
    return ListedLetter(
        table=table,
        segment=letter.segment,
        key=one_line(letter.key),
        error=ExportedError(letter.error_code, letter.error_message),
        time=iso_time(letter.time),
    )


def list_line(letter: DeadLetter, table: str) -> str:
    """The letter as one line for eyes: where, which key, and why. The item is left out."""
    key = shortened(letter.key.decode("utf-8", "replace"), _KEY_WIDTH)
    message = shortened(letter.error_message, _MESSAGE_WIDTH)
    place = f"segment {letter.segment}" if letter.segment >= 0 else "while following"
    return f"{iso_time(letter.time)}  {table}  {place}  {key}  {letter.error_code}: {message}"
