"""`dynaferry late-writes`: what was written behind the switch to the side that was left.

A few at a time, since there may be any number of them; keys and items are put into a line as they
came from the stream, never decoded (invariant 3).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec
from msgspec import Raw, Struct

from dynaferry.cli import exit_codes, failure, screen
from dynaferry.cli.interrupts import run_async
from dynaferry.follow.late_writes import (
    LateWritesOfTable,
    late_writes_of,
    pages_of_late_writes,
)
from dynaferry.follow.move_state import Side
from dynaferry.ports import ChangeKind
from dynaferry.shared.arn import resource_name
from dynaferry.shared.files import refusals_raised, replacing
from dynaferry.shared.printable import shortened
from dynaferry.state.json_lines import iso_time, one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dynaferry.follow.spool_late_writes import LateWrite

    Use = Callable[["LateTables"], int]  # gives how many there were

ChangeWord = Literal["put", "deleted", "changed"]

NOTHING: Final = "no late writes in the run {run}"
NOT_APPLIED: Final = "nothing applies them: which is right, they or the other side, is yours to say"
_OF_A_COPY: Final = (
    "nothing watches what is written behind a copy; dynaferry verify says what differs"
)
_A_PAGE: Final = 100
_ITEMS_A_PAGE: Final = 25  # of up to 400 KB
_KEY_WIDTH: Final = 80
_WORDS: Final[dict[ChangeKind, ChangeWord]] = {
    ChangeKind.PUT: "put",
    ChangeKind.DELETE: "deleted",
    ChangeKind.READ_AGAIN: "changed",
}


class ListedLateWrite(Struct, frozen=True, kw_only=True):
    """A key that was written behind the switch. Field names are a contract with scripts.

    `table` is the one that was written, `side` whether that is a source or a target: behind a way
    back it is the target that was left. `change` is what it came to: `put`, `deleted`, or `changed`
    where the stream does not show the item. `writes` counts all of them.
    """

    table: str
    side: Side
    key: Raw
    change: ChangeWord
    writes: int
    first_at: str
    last_at: str


class ExportedLateWrite(ListedLateWrite, frozen=True, kw_only=True):
    """The same with its item as the stream showed it last; null where it is deleted, or unknown."""

    item: Raw


class WrittenTable(Struct, frozen=True):
    """A side of one of a run's tables, by its name."""

    number: int
    side: Side
    name: str


class LateTables(Struct, frozen=True):
    """Both sides of all tables of a run, the sources first."""

    state_dir: Path
    run: str
    tables: list[WrittenTable]

    def pages(self, size: int) -> Iterator[tuple[WrittenTable, list[LateWrite]]]:
        """Some late writes of a table at a time, at most `size`."""
        for table in self.tables:
            for page in pages_of_late_writes(
                self.state_dir, self.run, table.number, size, table.side
            ):
                yield table, page

    def known(self) -> list[tuple[WrittenTable, LateWritesOfTable]]:
        """What is known of each table's."""
        return [
            (table, late_writes_of(self.state_dir, self.run, table.number, table.side))
            for table in self.tables
        ]


def run_list(run: str | None, state_dir: Path, *, as_json: bool) -> int:
    """Prints them without their items and returns the exit code."""
    return _read(run, state_dir, _print_json if as_json else _print_lines, as_json=as_json)


def run_export(run: str | None, state_dir: Path, output: Path | None) -> int:
    """Writes them with their items, as JSON lines; returns the exit code."""
    use = _export_to_stdout if output is None else partial(_export_to_file, output)
    return _read(run, state_dir, use, as_json=False)


def _read(run: str | None, state_dir: Path, use: Use, *, as_json: bool) -> int:
    from dynaferry.state.directory import sole_run

    try:
        name = sole_run(state_dir, run)
        tables = LateTables(state_dir, name, run_async(partial(_tables, state_dir, name)))
        number = use(tables)
        lines = list(_about(tables))
    except KeyboardInterrupt:
        return exit_codes.INTERRUPTED
    except Exception as error:  # noqa: BLE001  # the edge: everything is reported, nothing raised
        return failure.report(error, as_json=as_json, run=run)
    screen.say(f"{number:,} keys; {NOT_APPLIED}" if number else NOTHING.format(run=name))
    for line in lines:
        screen.say(line)
    return exit_codes.COMPLETE


async def _tables(state_dir: Path, run: str) -> list[WrittenTable]:
    from dynaferry.follow.asking import check_is_move
    from dynaferry.run.lifecycle import closing
    from dynaferry.state.sqlite.store import SqliteStore

    await check_is_move(state_dir, run, _OF_A_COPY)
    store = await SqliteStore.open_for_reading(state_dir, run)
    async with closing(store):
        record = await store.read_run()
    moved = list(enumerate(record.identity.tables))
    return [
        *(WrittenTable(n, "source", resource_name(table.source_arn)) for n, table in moved),
        *(WrittenTable(n, "target", resource_name(table.target_arn)) for n, table in moved),
    ]


def _about(tables: LateTables) -> Iterator[str]:
    """What is to be known of them besides: what does not count, and what may be missing."""
    for table, known in tables.known():
        if known.expired:
            yield (
                f"{table.name}: {known.expired:,} items were deleted since their time to live was"
                " over: these are no late writes"
            )
        for why in known.lost:
            yield f"{table.name}: there may be more late writes: {why}"


def _print_lines(tables: LateTables) -> int:
    number = 0
    for table, page in tables.pages(_A_PAGE):
        screen.print_lines(_line(late, table) for late in page)
        number += len(page)
    return number


def _print_json(tables: LateTables) -> int:
    """One document, though it is printed as it is read."""
    number = 0
    head = msgspec.json.encode(tables.run).decode()
    screen.print_document(f'{{"run":{head},"late_writes":[')
    for table, page in tables.pages(_A_PAGE):
        rows = [msgspec.json.encode(_listed(late, table)).decode() for late in page]
        screen.print_document(("," if number else "") + ",\n".join(rows))
        number += len(page)
    known = [each for _, each in tables.known()]
    more = {
        "expired": sum(each.expired for each in known),
        "lost": [why for each in known for why in each.lost],
    }
    screen.print_document("]," + msgspec.json.encode(more).decode()[1:])
    return number


def _export_to_stdout(tables: LateTables) -> int:
    number = 0
    for table, page in tables.pages(_ITEMS_A_PAGE):
        screen.print_bytes(_export_lines(page, table))
        number += len(page)
    return number


def _export_to_file(output: Path, tables: LateTables) -> int:
    number = 0
    writing = refusals_raised(f"the file {output}", hint="name another with -o")
    with writing, replacing(output, private=True) as file:
        for table, page in tables.pages(_ITEMS_A_PAGE):
            file.write(_export_lines(page, table))
            number += len(page)
    return number


def _listed(late: LateWrite, table: WrittenTable) -> ListedLateWrite:
    return ListedLateWrite(
        table=table.name,
        side=table.side,
        key=Raw(late.key),
        change=_WORDS[late.kind],
        writes=late.writes,
        first_at=iso_time(late.first_at),
        last_at=iso_time(late.last_at),
    )


def _export_lines(page: list[LateWrite], table: WrittenTable) -> bytes:
    lines = []
    for late in page:
        item = Raw(b"null") if late.image is None else one_line(late.image)
        listed = msgspec.structs.asdict(_listed(late, table))
        lines.append(msgspec.json.encode(ExportedLateWrite(**listed, item=item)) + b"\n")
    return b"".join(lines)


def _line(late: LateWrite, table: WrittenTable) -> str:
    """One for eyes: when, which key, what it came to."""
    key = shortened(late.key.decode("utf-8", "replace"), _KEY_WIDTH)
    times = "" if late.writes == 1 else f", {late.writes:,} writes"
    name = table.name if table.side == "source" else f"the target {table.name}"
    return f"{iso_time(late.last_at)}  {name}  {key}  {_WORDS[late.kind]}{times}"
