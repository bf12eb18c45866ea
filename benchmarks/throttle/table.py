"""The table of what was reached, and what the peer reaches. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from benchmarks.throttle.cases import CASES
from benchmarks.throttle.judge import Finding
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


def spread(tries: Sequence[Sequence[Finding]]) -> Iterator[str]:
    """The worst and the median of each figure that is a number, over several seeds."""
    for same in zip(*tries, strict=True):
        first, numbers = same[0], sorted(f.number for f in same if f.number is not None)
        missed = sum(f.reached is False for f in same)
        if not numbers:
            yield f"  {first.what}: missed by {missed} of {len(same)}"
            continue
        worst = numbers[0] if first.asked.startswith("≥") else numbers[-1]
        yield (
            f"  {first.what}: asked {first.asked or '-'}, worst {worst:.3f}, "
            f"median {median(numbers):.3f}, missed by {missed} of {len(same)}"
        )


def lines(ours: Sequence[Tried], peer: Mapping[str, Tried]) -> list[str]:
    """The same for a terminal."""
    cells = [HEADINGS, *rows(ours, peer)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in cells]
