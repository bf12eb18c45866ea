"""The scratch table: created, noted until it is dropped again, and dropped whatever happens.

The note is written before the table is created, so that one that a killed run has left behind is
reported by the next run, and never forgotten.
"""

import secrets
import shlex
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from dynaferry.dynamodb.account.session import AccountSession
from dynaferry.dynamodb.tables.create import call_when_allowed, called_when_made, is_active
from dynaferry.dynamodb.tables.describe import call_service, describe_table
from dynaferry.dynamodb.tables.description import TableDescription, Throughput
from dynaferry.errors import (
    AccessDeniedError,
    DynaferryError,
    PreflightError,
    RequestRefusedError,
    StateError,
    TableNotFoundError,
)
from dynaferry.shared.files import read_bounded, write_whole

NOTES = "bench"
MOST_NOTE_BYTES = 65_536
DROP_POLL_SECONDS = 1.0
CREATE_SECONDS = 120.0
DROP_SECONDS = 30.0


class Note(Struct, frozen=True):
    """The note of a scratch table that may exist. It holds nothing secret.

    `called` is its ARN, once it is known: it may be dropped with other credentials.
    """

    table: str
    region: str
    endpoint_url: str | None
    acting_as: str
    called: str | None = None

    def how_to_drop(self) -> str:
        """The command that drops it."""
        words = ["aws", "dynamodb", "delete-table", "--table-name", self.called or self.table]
        words += ["--region", self.region]
        if self.endpoint_url is not None:
            words += ["--endpoint-url", self.endpoint_url]
        if self.acting_as.startswith("profile "):
            words += ["--profile", self.acting_as.removeprefix("profile ")]
        return shlex.join(words)


def notes(state_dir: Path) -> list[tuple[Path, Note]]:
    """The scratch tables that earlier runs have not dropped."""
    found = []
    for path in sorted((state_dir / NOTES).glob("*.json")):
        try:
            content = read_bounded(path, MOST_NOTE_BYTES)
            found.append((path, msgspec.json.decode(content, type=Note)))
        except (OSError, msgspec.MsgspecError) as error:
            raise StateError(
                f"the note {path} of a scratch table cannot be read: {error}",
                hint="check for a table of that name, then remove the note",
            ) from error
    return found


async def forget(path: Path) -> None:
    """Removes a note: its table is gone."""
    await anyio.to_thread.run_sync(partial(path.unlink, missing_ok=True))


async def report_leftovers(
    session: AccountSession, endpoint_url: str | None, state_dir: Path, say: Callable[[str], None]
) -> None:
    """Says which scratch tables a killed run has left, and forgets those that are gone."""
    for path, note in await anyio.to_thread.run_sync(notes, state_dir):
        if (note.region, note.endpoint_url, note.acting_as) == (
            session.region,
            endpoint_url,
            session.acting_as,
        ):
            try:
                await describe_table(session, note.called or note.table)
            except TableNotFoundError:
                await forget(path)
                continue
            except DynaferryError:
                pass  # it may be there: it is reported
        say(
            f"an earlier run has left the scratch table {note.table} in {note.region}"
            f" ({note.acting_as}); drop it: {note.how_to_drop()}"
        )


def new_note(session: AccountSession, endpoint_url: str | None) -> Note:
    """The note of a table that is about to be made, under a name that nobody has."""
    return Note(
        table=f"dynaferry-bench-{secrets.token_hex(4)}",
        region=session.region,
        endpoint_url=endpoint_url,
        acting_as=session.acting_as,
    )


@asynccontextmanager
async def scratch_table(
    session: AccountSession,
    note: Note,
    *,
    sort_key: bool = False,
    provisioned: Throughput | None = None,
    state_dir: Path,
    dropped: Callable[[], None],
) -> AsyncIterator[TableDescription]:
    """Creates the table of `note`, and drops it at the end; `dropped` is called when that is done.

    It is on demand, or with the capacity that is given.

    :raises PreflightError: it did not become active
    """
    path = await anyio.to_thread.run_sync(_write_note, state_dir, note)
    is_refused = False
    try:
        try:
            capacity = _capacity(provisioned)
            called = await _create(session, note.table, sort_key=sort_key, capacity=capacity)
        except (AccessDeniedError, RequestRefusedError):
            is_refused = True  # there is nothing to drop
            raise
        note = replace(note, called=called)
        await anyio.to_thread.run_sync(_write_note, state_dir, note)
        created = await _active(session, note)
        note = replace(note, called=created.called)
        await anyio.to_thread.run_sync(_write_note, state_dir, note)
        yield created
    finally:
        with anyio.CancelScope(shield=True, deadline=anyio.current_time() + DROP_SECONDS):
            if not is_refused:
                await _drop(session, note)
            await forget(path)
            dropped()


def _write_note(state_dir: Path, note: Note) -> Path:
    path = state_dir / NOTES / f"{note.table}.json"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, msgspec.json.encode(note), private=True)
    except OSError as error:
        raise StateError(
            f"the state directory {state_dir} cannot be written: {error.strerror}",
            hint="choose another one with --state-dir",
        ) from error
    return path


def _capacity(provisioned: Throughput | None) -> dict[str, Any]:
    if provisioned is None:
        return {"BillingMode": "PAY_PER_REQUEST"}
    units = {
        "ReadCapacityUnits": provisioned.read_units,
        "WriteCapacityUnits": provisioned.write_units,
    }
    return {"BillingMode": "PROVISIONED", "ProvisionedThroughput": units}


async def _create(
    session: AccountSession, table: str, *, sort_key: bool, capacity: dict[str, Any]
) -> str:
    """Creates the table, and gives what it is called from here on."""
    names = ("pk", "sk") if sort_key else ("pk",)
    roles = ("HASH", "RANGE")
    made = await call_when_allowed(
        session,
        "CreateTable",
        table,
        patience_seconds=CREATE_SECONDS,
        TableName=table,
        **capacity,
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
        KeySchema=[
            {"AttributeName": name, "KeyType": role}
            for name, role in zip(names, roles, strict=False)
        ],
    )
    return called_when_made(session, table, made)


async def _active(session: AccountSession, note: Note) -> TableDescription:
    with anyio.move_on_after(CREATE_SECONDS):
        while True:
            try:
                described = await describe_table(session, note.called or note.table)
            except TableNotFoundError:
                pass  # it was created a moment ago, and is not seen everywhere yet
            else:
                if is_active(described):
                    return described
            await anyio.sleep(DROP_POLL_SECONDS)
    raise PreflightError(
        f"the scratch table {note.table} was not active after {CREATE_SECONDS:.0f} s",
        hint="measure a table of your own instead: --table NAME",
    )


async def _drop(session: AccountSession, note: Note) -> None:
    """Drops the table, once the service lets it: not while it is being created."""
    last: DynaferryError | None = None
    called = note.called or note.table
    while anyio.current_effective_deadline() - anyio.current_time() >= DROP_POLL_SECONDS:
        try:
            await call_service(session, "DeleteTable", called, TableName=called)
        except TableNotFoundError:
            return
        except DynaferryError as error:
            last = error
        else:
            return
        await anyio.sleep(DROP_POLL_SECONDS)
    raise PreflightError(
        f"the scratch table {note.table} could not be dropped: {last}",
        hint=note.how_to_drop(),
    )
