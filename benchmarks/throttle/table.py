"""The table of what was reached, and what the peer reaches. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from benchmarks.throttle.cases import CASES
from benchmarks.throttle.peer import NAME
from benchmarks.throttle.tried import Tried

HEADINGS = ("case", "figure", "asked", "dynaferry", NAME)


def rows(ours: Sequence[Tried], peer: Mapping[str, Tried]) -> Iterator[tuple[str, ...]]:
    """A row for each figure; the title of a case stands in its first."""
    titles = {case.name: case.title for case in CASES}
    for each in ours:
        theirs = peer.get(each.case)
        title = titles[each.case]
        for found in each.findings:
            value = f"{found.value} MISSED" if found.reached is False else found.value or "-"
            their_value = (theirs and theirs.value(found.what)) or "-"
            yield title, found.what, found.asked, value, their_value
            title = ""


def lines(ours: Sequence[Tried], peer: Mapping[str, Tried]) -> list[str]:
    """The same for a terminal."""
    cells = [HEADINGS, *rows(ours, peer)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in cells]
