"""`dynaferry verify` and `copy --after-copy`, as they are typed, between two accounts."""

import asyncio
import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from dynaferry.cli.commands import verify as module
from dynaferry.cli.commands.after_copy import combined
from dynaferry.cli.commands.verify_text import repair_lines, verify_lines
from dynaferry.cli.main import run_command
from dynaferry.observe.summary import VerifyStatus
from dynaferry.verify.compare.confirm import Confirmer
from dynaferry.verify.compare.repair import RepairPlan
from dynaferry.verify.summary import ComparisonSummary, Undecided, VerifySummary
from tests.worlds.client import WireItem
from tests.worlds.moto import TARGET_EXTERNAL_ID, TARGET_ROLE_ARN, MotoWorld
from tests.worlds.refusals import REFUSED, refusing_marked_items
from tests.worlds.terminal import END_OF_INPUT, terminal

Run = Callable[..., tuple[int, dict[str, Any] | None, str]]


def an_item(number: int, note: str = "fine") -> WireItem:
    return {"pk": {"S": f"k{number}"}, "n": {"N": str(number)}, "note": {"S": note}}


@pytest.fixture
def world(moto_world: MotoWorld) -> MotoWorld:
    """Two accounts with a table `orders` of 60 equal items."""

    async def seed() -> None:
        for tables in (moto_world.source_tables, moto_world.target_tables):
            await tables.create_table("orders")
            await tables.put_items("orders", map(an_item, range(60)))

    asyncio.run(seed())
    return moto_world


def plant(world: MotoWorld) -> None:
    """One missing, one different, one extra."""

    async def change() -> None:
        await world.target_tables.delete_item("orders", {"pk": {"S": "k3"}})
        changed = [an_item(4, "\x1b[31mother"), {"pk": {"S": "extra"}}]
        await world.target_tables.put_items("orders", changed)

    asyncio.run(change())


@pytest.fixture
def run(
    moto_world: MotoWorld,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    """Types a command with the flags of both accounts; (exit code, document, stderr)."""
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("DYNAFERRY_TARGET_EXTERNAL_ID", TARGET_EXTERNAL_ID)
    url = moto_world.url
    flags = ["--source-endpoint-url", url, "--target-endpoint-url", url]
    flags += ["--sts-endpoint-url", url, "--target-role-arn", TARGET_ROLE_ARN]
    flags += ["--state-dir", str(tmp_path / "state"), "--segments", "4", "--progress", "plain"]

    def type_in(command: str, *more: str) -> tuple[int, dict[str, Any] | None, str]:
        settle = ["--settle", "0"] if command == "verify" else []
        code = run_command([command, "orders", "orders", *flags, *settle, *more])
        said = capsys.readouterr()
        document = json.loads(said.out) if said.out else None
        return code, document, said.err

    return type_in


def only_table(document: dict[str, Any] | None) -> dict[str, Any]:
    assert document is not None
    (table,) = document["tables"]
    assert isinstance(table, dict)
    return table


def test_equal_is_0_with_one_document_on_stdout(world: MotoWorld, run: Run) -> None:
    code, document, err = run("verify", "--json")
    assert code == 0, err
    assert document is not None
    assert (document["run"], document["status"], document["error"]) == ("orders", "equal", None)
    table = only_table(document)
    assert table.keys() >= {
        *("source", "target", "source_items", "target_items", "matching", "missing", "extra"),
        *("different", "in_flux", "differences", "digest", "read_units", "seconds"),
    }
    assert (table["matching"], table["differences"]) == (60, [])
    assert "orders: equal" in err
    assert "60 items compared" in err


def test_different_is_6_and_says_what_differs_and_what_to_do(world: MotoWorld, run: Run) -> None:
    plant(world)
    code, document, err = run("verify", "--json")
    assert code == 6
    assert only_table(document)["missing"] == 1
    assert 'missing   {"pk":{"S":"k3"}}' in err
    assert 'different {"pk":{"S":"k4"}}: note' in err
    assert 'extra     {"pk":{"S":"extra"}}' in err
    assert "--repair" in err
    assert "--delete-extra" in err


def test_values_on_a_terminal_cannot_steer_it(world: MotoWorld, run: Run) -> None:
    plant(world)
    _, _, err = run("verify", "--show-values")
    assert "other" in err
    assert "\x1b" not in err


def test_without_json_stdout_stays_empty(world: MotoWorld, run: Run) -> None:
    assert run("verify")[1] is None


def test_a_repair_that_cannot_ask_is_refused_before_anything_is_read(
    world: MotoWorld, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(world)
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    code, document, err = run("verify", "--repair", "--json")
    assert code == 2
    assert document is not None
    assert document["status"] == "refused"
    assert "--yes" in err


def test_a_repair_is_shown_and_done_with_yes(world: MotoWorld, run: Run) -> None:
    plant(world)
    code, document, err = run("verify", "--repair", "--delete-extra", "--yes", "--json")
    assert code == 0
    table = only_table(document)
    assert (table["written"], table["deleted"], table["status"]) == (2, 1, "equal")
    for line in ("write 1 missing", "overwrite 1 different", "delete 1 extra", "repaired"):
        assert line in err
    assert run("verify")[0] == 0


@pytest.mark.parametrize(
    ("answer", "code"), [(b"y\n", 0), (b"YES\n", 0), (b"\n", 6), (END_OF_INPUT, 6)]
)
def test_a_repair_asks_on_a_terminal_and_only_yes_is_yes(
    world: MotoWorld, run: Run, monkeypatch: pytest.MonkeyPatch, answer: bytes, code: int
) -> None:
    plant(world)
    with terminal() as (person, stdin):
        monkeypatch.setattr(sys, "stdin", stdin)
        os.write(person, answer)
        found, _, err = run("verify", "--repair", "--delete-extra")
    assert found == code
    assert "in the target orders (222222222222, us-east-1) this will" in err
    assert "orders (222222222222, us-east-1): continue? [y/N]" in err
    assert ("nothing is written" in err) == (code == 6)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--sample", "0"], 2, "--sample"),
        (["--settle", "-1"], 2, "--settle"),
        (["--limit", "-1"], 2, "--limit"),
        (["--limit", "x"], 2, "a whole number"),
        (["--run", "orders.verify"], 2, "verifications"),
        (["--certificate", "/no/such/place/x.json"], 2, "certificate"),
        (["--plan", "/no/such/plan.toml"], 2, "--plan"),
    ],
)
def test_what_makes_no_sense_is_2_and_says_why(
    world: MotoWorld, run: Run, arguments: list[str], code: int, words: str
) -> None:
    found, document, err = run("verify", *arguments, "--json")
    assert (found, words in err) == (code, True)
    assert document is not None
    assert document["error"] is not None


def test_a_table_that_is_not_there_is_3(moto_world: MotoWorld, run: Run) -> None:
    code, document, err = run("verify", "--json")
    assert code == 3
    assert document is not None
    assert document["status"] == "refused"
    assert "does not exist" in err
    assert "hint:" in err


def test_who_names_no_table_is_shown_how(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["verify"]) == 2
    assert "dynaferry verify SOURCE TARGET" in capsys.readouterr().err


def test_a_copy_verified_at_once_is_one_document_and_one_code(
    moto_world: MotoWorld, run: Run
) -> None:
    async def seed() -> None:
        await moto_world.source_tables.create_table("orders")
        await moto_world.source_tables.put_items("orders", map(an_item, range(60)))

    asyncio.run(seed())
    code, document, err = run("copy", "--create-target", "--after-copy", "--json")
    assert code == 0
    assert document is not None
    assert (document["status"], document["verify"]["status"]) == ("complete", "equal")
    assert document["verify"]["tables"][0]["matching"] == 60
    assert "orders: complete" in err
    assert "orders: equal" in err

    plant(moto_world)
    code, document, _ = run("copy", "--create-target", "--after-copy", "--json")
    assert code == 6
    assert document is not None
    assert (document["status"], document["verify"]["status"]) == ("complete", "different")


def test_rejected_items_alone_stay_the_copys_code(moto_world: MotoWorld, run: Run) -> None:
    async def seed() -> None:
        await moto_world.source_tables.create_table("orders")
        items = [an_item(n, REFUSED if n == 7 else "fine") for n in range(60)]
        await moto_world.source_tables.put_items("orders", items)

    asyncio.run(seed())
    with refusing_marked_items():
        code, document, err = run("copy", "--create-target", "--after-copy", "--json")
    assert code == 4
    assert document is not None
    assert document["verify"]["tables"][0]["rejected"] == 1
    assert "dead-letters replay" in err


def test_a_copy_that_is_refused_verifies_nothing(world: MotoWorld, run: Run) -> None:
    code, document, _ = run("copy", "--after-copy", "--json")
    assert code == 3
    assert document is not None
    assert (document["status"], document["verify"]) == ("refused", None)


def summary(status: VerifyStatus, **counts: Any) -> VerifySummary:
    table = ComparisonSummary(source="a", target="b", status=status, **counts)
    return VerifySummary(run="a", status=status, error=None, tables=(table,))


@pytest.mark.parametrize(
    ("code", "verified", "both"),
    [
        (0, summary("equal"), 0),
        (4, summary("equal"), 4),
        (0, summary("different", missing=1), 6),
        (4, summary("different", rejected=1), 4),
        (0, summary("different", rejected=1), 4),
        (4, summary("different", rejected=1, extra=1), 6),
        (4, summary("different", rejected=1, undecided=("in_flux",)), 6),
        (0, summary("undecided", in_flux=1), 6),
        (4, summary("undecided", in_flux=1), 6),
        (0, summary("failed"), 5),
        (0, summary("refused"), 5),
        (4, summary("interrupted"), 130),
    ],
)
def test_the_code_of_a_copy_and_its_verification(
    code: int, verified: VerifySummary, both: int
) -> None:
    assert combined(code, verified) == both


def test_what_is_in_flux_is_shown_and_what_is_left_out_is_counted() -> None:
    lines = verify_lines(summary("different", missing=30, in_flux=2), limit=20)
    assert any("30 more" in line for line in lines)
    assert any("in flux were changed" in line for line in lines)
    assert verify_lines(summary("interrupted"), limit=20)[-1].startswith("the same command again")
    anew = verify_lines(summary("interrupted"), limit=20, begins_anew=True)[-1]
    assert "with --resume" in anew


@pytest.mark.parametrize("reason", get_args(Undecided))
def test_what_is_undecided_is_shown_with_its_reason_and_what_to_do(reason: Undecided) -> None:
    found = summary("undecided", in_flux=int(reason == "in_flux"))
    table = msgspec.structs.replace(
        found.tables[0],
        undecided=(reason,),
        overwritten=int(reason == "overwritten"),
        unseen=int(reason == "unseen"),
        kept_in="x.overwritten.jsonl" if reason == "overwritten" else None,
    )
    lines = verify_lines(msgspec.structs.replace(found, tables=(table,)), limit=20)
    assert "not proven equal" in lines[0]
    assert any(line.startswith("  undecided ") for line in lines)
    assert "compare" in lines[-1]


def test_what_only_look_ups_of_keys_showed_to_be_equal_is_reported() -> None:
    lines = verify_lines(summary("equal", settled_by_key=3), limit=20)
    assert any("3 items that the scans did not show alike" in line for line in lines)
    assert not any("by key" in line for line in verify_lines(summary("equal"), limit=20))


def test_a_resumed_comparison_says_how_old_it_is() -> None:
    found = summary("equal")
    table = msgspec.structs.replace(found.tables[0], oldest_segment_at="2026-01-02T03:04:05Z")
    resumed = msgspec.structs.replace(found, tables=(table,), attempts=2)
    assert "2026-01-02T03:04:05Z" in verify_lines(resumed, limit=20)[1]


def test_the_headline_says_how_the_tables_were_read() -> None:
    eventually = summary("equal")
    assert "--consistent-read" in verify_lines(eventually, limit=20)[0]
    consistently = msgspec.structs.replace(eventually, consistent_read=True)
    assert "by consistent reads" in verify_lines(consistently, limit=20)[0]


def test_what_stays_undecided_is_6_and_no_equal_is_said(
    world: MotoWorld, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Missing at the first look, and at the second there, but older than the source by then."""
    plant(world)
    read, reads = Confirmer.read_both, 0

    async def reading(
        self: Confirmer, keys: Sequence[bytes]
    ) -> tuple[dict[bytes, bytes], dict[bytes, bytes]]:
        nonlocal reads
        reads += 1
        source, target = await read(self, keys)
        missing = source.keys() - target.keys()
        if reads > 1 and missing:
            target |= dict.fromkeys(missing, b'{"pk":{"S":"k3"},"old":{"S":""}}')
        return source, target

    async def agree() -> None:
        await world.target_tables.put_items("orders", [an_item(4)])
        await world.target_tables.delete_item("orders", {"pk": {"S": "extra"}})

    asyncio.run(agree())
    monkeypatch.setattr(Confirmer, "read_both", reading)
    path = tmp_path / "orders.json"
    code, document, err = run("verify", "--json", "--segments", "1", "--certificate", str(path))
    assert code == 6
    assert document is not None
    assert (document["status"], only_table(document)["in_flux"]) == ("undecided", 1)
    assert json.loads(path.read_text())["status"] == "undecided"
    assert "orders: undecided, not proven equal" in err
    assert "equal, by" not in err.replace("undecided, not proven equal, by", "")


def test_a_repair_announces_only_what_it_will_do() -> None:
    planned = RepairPlan(
        target="b",
        target_arn="arn:aws:dynamodb:eu-west-1:222222222222:table/b",
        write_missing=0,
        overwrite_different=0,
        delete_extra=1200,
    )
    assert repair_lines(planned) == [
        "in the target b (222222222222, eu-west-1) this will",
        "  delete 1,200 extra items",
    ]


def test_the_display_suits_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    from dynaferry.cli.flags import ProgressFlag

    assert module.watcher(ProgressFlag.NONE, readers=1) is None
    plain = module.watcher(ProgressFlag.AUTO, readers=1)
    assert plain is not None
    assert plain.func.__name__ == "watch_plain"  # type: ignore[attr-defined]
    monkeypatch.setattr("dynaferry.cli.screen.is_live_terminal", lambda: True)
    live = module.watcher(ProgressFlag.AUTO, readers=1)
    assert live is not None
    assert live.func.__name__ == "watch_live"  # type: ignore[attr-defined]
