"""Tables as people read them in a terminal: a heading, a row each, numbers to the right. Pure."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from dynaferry.observe.formatting import shortened

_GAP: Final = "  "
_LEAST: Final = 9
_ARROW: Final = " → "


class Column(Struct, frozen=True, kw_only=True):
    """A column: words stand to the left, numbers to the right. One that `shrinks` gives room."""

    heading: str
    is_words: bool = False
    shrinks: bool = False


def text_table(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], *, width: int | None = None
) -> list[str]:
    """The lines of the table, heading first; cells of columns that shrink are cut to fit.

    Without a `width` nothing is cut.
    """
    widths = [
        max(len(column.heading), *(len(row[number]) for row in rows))
        for number, column in enumerate(columns)
    ]
    whole = sum(widths) + len(_GAP) * (len(columns) - 1)
    excess = 0 if width is None else whole - width
    shrinking = [number for number, column in enumerate(columns) if column.shrinks]
    # The widest gives first, so that two long columns end up alike.
    while excess > 0 and shrinking:
        widest = max(shrinking, key=widths.__getitem__)
        if widths[widest] <= max(_LEAST, len(columns[widest].heading)):
            break
        widths[widest] -= 1
        excess -= 1
    heading = [column.heading for column in columns]
    return [_line(columns, widths, row) for row in (heading, *rows)]


def _line(columns: Sequence[Column], widths: Sequence[int], cells: Sequence[str]) -> str:
    placed = []
    for column, width, cell in zip(columns, widths, cells, strict=True):
        fitting = cut(cell, width) if column.shrinks else cell
        placed.append(fitting.ljust(width) if column.is_words else fitting.rjust(width))
    return _GAP.join(placed).rstrip()


def cut(text: str, most: int) -> str:
    """The text in `most` characters; of `source → target`, each name keeps its two ends."""
    if len(text) <= most or _ARROW not in text:
        return shortened(text, most)
    source, _, target = text.partition(_ARROW)
    room = most - len(_ARROW)
    short = min(len(source), len(target), room // 2)
    most_source = room - short if len(source) > len(target) else short
    if len(source) == len(target):
        most_source = room - room // 2
    return f"{shortened(source, most_source)}{_ARROW}{shortened(target, room - most_source)}"
