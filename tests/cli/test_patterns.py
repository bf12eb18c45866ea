"""Patterns on the command line: which tables are copied, and `dynaferry plan`, between accounts."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from moto.dynamodb.responses import DynamoHandler

from dynaferry.cli.main import run_command
from dynaferry.plan.plan_file import read_plan
from dynaferry.plan.validation import validate
from tests.worlds.moto import REGION, TARGET_EXTERNAL_ID, TARGET_ROLE_ARN, MotoWorld

TABLES = {"prod-audit": 2, "prod-events": 30, "prod-users": 9, "test-users": 4}


class Typed(NamedTuple):
    """What came of a command."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """What a script reads."""
        document: dict[str, Any] = json.loads(self.out)
        return document


Type = Callable[..., Typed]


@pytest.fixture
def world(moto_world: MotoWorld) -> MotoWorld:
    """A source with some tables, and a target with none."""

    async def seed() -> None:
        for name, items in TABLES.items():
            await moto_world.source_tables.create_table(name)
            await moto_world.source_tables.put_items(
                name, [{"pk": {"S": f"k{n}"}} for n in range(items)]
            )

    asyncio.run(seed())
    return moto_world


@pytest.fixture
def type_in(
    world: MotoWorld,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Type:
    """Types a command with the flags of both accounts, in a directory of its own."""
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("DYNAFERRY_TARGET_EXTERNAL_ID", TARGET_EXTERNAL_ID)
    monkeypatch.chdir(tmp_path)
    flags = ["--source-endpoint-url", world.url, "--target-endpoint-url", world.url]
    flags += ["--sts-endpoint-url", world.url, "--target-role-arn", TARGET_ROLE_ARN]

    def type_in(*words: str) -> Typed:
        code = run_command([*words, *flags])
        said = capsys.readouterr()
        return Typed(code, said.out, said.err)

    return type_in


@pytest.fixture
def operations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The operation of every request that comes to moto's DynamoDB."""
    seen: list[str] = []
    call_action = DynamoHandler.call_action

    def noting(self: DynamoHandler) -> Any:
        seen.append(self.headers["X-Amz-Target"].rpartition(".")[2])
        return call_action(self)

    monkeypatch.setattr(DynamoHandler, "call_action", noting)
    return seen


COPY = ("copy", "prod-*", "new-*", "--create-target", "--progress", "none", "--json")


def test_what_matches_is_copied_under_its_new_name_and_compared(
    world: MotoWorld, type_in: Type
) -> None:
    typed = type_in(*COPY, "--exclude", "*-audit", "--after-copy")
    assert typed.code == 0, typed.err
    ways = [(table["source"], table["target"]) for table in typed.document["tables"]]
    assert ways == [("prod-events", "new-events"), ("prod-users", "new-users")]
    assert [table["items_written"] for table in typed.document["tables"]] == [30, 9]
    assert typed.document["verify"]["status"] == "equal"
    assert typed.document["run"] == "prod-all-to-new-all"
    assert "prod-* matches 2 tables: prod-events, prod-users\n" in typed.err
    assert "prod-*: excluded: prod-audit\n" in typed.err


def test_the_same_command_later_finds_the_same_run(type_in: Type) -> None:
    assert type_in(*COPY).code == 0
    again = type_in(*COPY)
    assert again.code == 0
    assert "already complete" in again.err
    compared = type_in("verify", "prod-*", "new-*", "--progress", "none", "--json")
    assert compared.code == 0, compared.err
    assert len(compared.document["tables"]) == 3


def test_a_table_that_is_there_since_joins_the_run_and_is_copied_alone(
    world: MotoWorld, type_in: Type
) -> None:
    assert type_in(*COPY).code == 0
    asyncio.run(world.source_tables.create_table("prod-later"))
    asyncio.run(world.source_tables.put_items("prod-later", [{"pk": {"S": "new"}}]))
    again = type_in(*COPY)
    assert again.code == 0, again.err
    copied = {table["source"]: table["items_written"] for table in again.document["tables"]}
    assert copied == {"prod-audit": 2, "prod-events": 30, "prod-users": 9, "prod-later": 1}
    assert "prod-later: new in this run\n" in again.err


def test_a_move_takes_patterns_too(type_in: Type) -> None:
    typed = type_in(
        *("move", "prod-*", "new-*", "--create-target", "--without-stream", "--dry-run", "--json")
    )
    assert typed.code == 0, typed.err
    assert [table["target"] for table in typed.document["tables"]] == [
        "new-audit",
        "new-events",
        "new-users",
    ]


def test_a_dry_run_of_a_move_describes_each_table_once(
    world: MotoWorld, type_in: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    asyncio.run(world.source_tables.create_table("followed", StreamSpecification=stream))
    described: list[str] = []
    call_action = DynamoHandler.call_action

    def noting(self: DynamoHandler) -> Any:
        if self.headers["X-Amz-Target"].endswith(".DescribeTable"):
            described.append(json.loads(self.raw_body)["TableName"])
        return call_action(self)

    monkeypatch.setattr(DynamoHandler, "call_action", noting)
    typed = type_in("move", "followed", "copied", "--create-target", "--dry-run", "--json")
    assert typed.code == 0, typed.err
    assert sorted(name for name in described if not name.startswith("arn:")) == [
        "copied",
        "followed",
    ]


def test_of_the_tables_that_match_some_may_be_chosen(type_in: Type) -> None:
    typed = type_in(*COPY, "--dry-run", "--skip", "prod-audit")
    assert typed.code == 0, typed.err
    tables = [table["source"] for table in typed.document["tables"]]
    assert tables == ["prod-events", "prod-users"]


def test_tables_are_listed_where_a_pattern_is_typed_and_nowhere_else(
    type_in: Type, operations: list[str]
) -> None:
    assert type_in(*COPY, "--dry-run").code == 0
    assert operations.count("ListTables") == 1
    operations.clear()
    assert type_in("copy", "prod-users", "--create-target", "--dry-run").code == 0
    assert "DescribeTable" in operations
    assert "ListTables" not in operations


def test_a_plan_file_has_patterns_beside_tables_of_their_own(type_in: Type) -> None:
    Path("move.toml").write_text(
        'create_target = true\nexclude = ["*-audit"]\n'
        '[[tables]]\nsource = "prod-*"\ntarget = "new-*"\nmax_write_units = 500\n'
        '[[tables]]\nsource = "test-users"\n',
        encoding="utf-8",
    )
    typed = type_in("copy", "--plan", "move.toml", "--progress", "none", "--json")
    assert typed.code == 0, typed.err
    targets = [table["target"] for table in typed.document["tables"]]
    assert targets == ["new-events", "new-users", "test-users"]


@pytest.mark.parametrize("command", ["copy", "move", "verify"])
def test_a_pattern_that_matches_nothing_is_refused_and_says_what_there_is(
    type_in: Type, command: str
) -> None:
    typed = type_in(command, "prd-*", "--json")
    assert typed.code == 3
    assert typed.document["status"] == "refused"
    assert (
        "error: the pattern prd-* matches none of the 4 tables in us-east-1, seen as the "
        "credentials of the environment\n"
    ) in typed.err
    assert "there is prod-" in typed.err


def test_an_exclusion_of_no_table_is_said(type_in: Type) -> None:
    typed = type_in(*COPY, "--exclude", "prod-adit", "--dry-run")
    assert "exclude prod-adit: there is no such table\n" in typed.err


def test_a_plan_that_was_written_out_is_used_as_it_is(type_in: Type, operations: list[str]) -> None:
    written = type_in("plan", "prod-*", "new-*", "--exclude", "*-audit")
    assert written.code == 0, written.err
    assert written.out.startswith(
        "# Written by: dynaferry plan 'prod-*' 'new-*' --exclude '*-audit'\n# 2 tables, 39 items, "
    )
    assert TARGET_EXTERNAL_ID not in written.out
    Path("move.toml").write_text(written.out, encoding="utf-8")
    plan = validate(read_plan(Path("move.toml")))
    ways = [(table.source, table.target) for table in plan.tables]
    assert ways == [("prod-events", "new-events"), ("prod-users", "new-users")]
    assert (plan.source.region, plan.target.role_arn) == (REGION, TARGET_ROLE_ARN)
    operations.clear()
    code = run_command(["copy", "--plan", "move.toml", "--create-target", "--progress", "none"])
    assert code == 0
    assert "ListTables" not in operations


def test_a_plan_is_written_to_a_file_whole(type_in: Type) -> None:
    typed = type_in("plan", "*", "-o", "all.toml")
    assert (typed.code, typed.out) == (0, "")
    assert typed.err.endswith("written to all.toml\n")
    sources = [table.source for table in read_plan(Path("all.toml")).tables]
    assert sorted(sources) == sorted(TABLES)
    assert sources[0] == "prod-events", "the largest first"


def test_a_plan_of_one_table_says_what_it_is(type_in: Type) -> None:
    typed = type_in("plan", "prod-users", "users")
    assert typed.code == 0, typed.err
    assert "# 1 table, 9 items, " in typed.out
    assert '\nsource = "prod-users"\ntarget = "users"\n' in typed.out


def test_a_table_that_cannot_be_copied_is_written_as_a_comment(type_in: Type) -> None:
    typed = type_in("plan", "no-such-table")
    assert typed.code == 0
    assert "# 1 more cannot be copied now: see the end\n" in typed.out
    assert "# left out: the source table no-such-table does not exist" in typed.out
    assert '# source = "no-such-table"\n' in typed.out
