"""The tables of docs/measured.md, made from the kept result; a test checks that they are."""

import re
from pathlib import Path

from benchmarks.contestants import DYNAFERRY, FLOOR, PEERS, Contestant
from benchmarks.results import Middle, Results, Run, middle, paired

PAGE = Path(__file__).resolve().parents[1] / "docs" / "measured.md"
_PLACE = re.compile(r"(<!-- benchmark -->\n).*?(<!-- end of benchmark -->)", re.DOTALL)


def lines(results: Results) -> list[str]:
    """The table: a row for each contestant, items per CPU second by item size, and what follows."""
    sizes = sorted({run.item_bytes for run in results.of("speed")})
    head = ["items per CPU second", *(readable_bytes(size) for size in sizes), "peak memory"]
    rows = [_row(c, sizes, results) for c in (DYNAFERRY, *PEERS, FLOOR)]
    return [
        _cells(head),
        _cells(["---", *["---:"] * (len(sizes) + 1)]),
        *[row for row in rows if row],
        "",
        *_sentences(results),
    ]


def write_page(results: Results, page: Path = PAGE) -> None:
    """Puts the table into its place on the page."""
    text = page.read_text()
    if not _PLACE.search(text):
        raise RuntimeError(f"{page.name} has no place for the table")
    page.write_text(in_place(text, results))


def in_place(text: str, results: Results) -> str:
    """The text with the table in its place."""
    table = "\n".join(lines(results))
    return _PLACE.sub(lambda found: f"{found[1]}{table}\n{found[2]}", text)


def ratio(results: Results, item_bytes: int, peer: Contestant) -> Middle | None:
    """How many times the peer's items per CPU second the copy moves, round by round."""
    return paired(
        results.of("speed", contestant=DYNAFERRY.name, item_bytes=item_bytes),
        results.of("speed", contestant=peer.name, item_bytes=item_bytes),
        rate,
    )


def tls_cost(results: Results) -> Middle | None:
    """What TLS adds to the CPU seconds of an item, as a share."""
    found = paired(
        results.of("tls", contestant=f"{DYNAFERRY.name}+tls"),
        results.of("tls", contestant=DYNAFERRY.name),
        lambda run: run.cpu_seconds / run.items,
    )
    return found and Middle(found.median - 1, found.least - 1, found.most - 1)


def rate(run: Run) -> float:
    """Items per CPU second."""
    return run.items_per_cpu_second


def readable_bytes(count: int) -> str:
    """200 B, 1 KB."""
    return f"{count} B" if count < 1024 else f"{count // 1024} KB"


def _row(contestant: Contestant, sizes: list[int], results: Results) -> str | None:
    of_all = results.of("speed", contestant=contestant.name)
    if not of_all:
        return None
    cells = [contestant.title]
    for size in sizes:
        rates = [rate(run) for run in of_all if run.item_bytes == size]
        cells.append(f"{middle(rates).median:,.0f}" if rates else "")
    peak = max(run.peak_bytes for run in of_all)
    return _cells([*cells, f"{peak / 1024**2:,.0f} MB"])


def _sentences(results: Results) -> list[str]:
    said = []
    for peer in (*PEERS[:1], FLOOR):
        by_size = [
            f"{_of(found, peer is FLOOR)} at {readable_bytes(size)}"
            for size in sorted({run.item_bytes for run in results.of("speed")})
            if (found := ratio(results, size, peer))
        ]
        if by_size:
            said.append(f"- Against {peer.title}: {', '.join(by_size)}.")
    if found := tls_cost(results):
        said.append(
            f"- TLS adds {found.median:.0%} of CPU time at 1 KB"
            f" ({found.least:.0%} to {found.most:.0%})."
        )
    sizes = sorted({run.setting for run in results.of("size")})
    peaks = [
        middle(run.peak_bytes for run in results.of("size", setting=size)).median for size in sizes
    ]
    if len(sizes) > 1:
        items = [results.of("size", setting=size)[0].items for size in sizes]
        said.append(
            f"- Peak memory with {items[-1]:,} items of 1 KB is {peaks[-1] / 1024**2:.0f} MB, with"
            f" {items[0]:,} {peaks[0] / 1024**2:.0f} MB."
        )
    if results.start_up:
        helps = middle(results.start_up.help_seconds)
        scans = middle(results.start_up.first_scan_seconds)
        said.append(
            f"- `dynaferry --help` takes {helps.median:.2f} s; from the start of a copy to its"
            f" first Scan, preflight included, {scans.median:.2f} s."
        )
    said += [f"- Not measured: {name}, since {why}." for name, why in results.skipped.items()]
    return said


def _of(found: Middle, as_share: bool) -> str:
    if as_share:
        return f"{found.median:.0%}"
    return f"{found.median:.0f} times ({found.least:.0f} to {found.most:.0f})"


def _cells(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
