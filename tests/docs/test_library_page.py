"""docs/library.md and docs/examples: each block and each example does what is said of it."""

import ast
import asyncio
import inspect
import re
import subprocess
from pathlib import Path
from typing import Any

import anyio
import pytest

import dynaferry
from docs.examples import asyncio_service, orchestrator_task
from docs.examples.asyncio_service import CopyJob
from dynaferry import Account, CopyPlan
from tests.worlds.moto import REGION, TARGET_ROLE_ARN, MotoWorld

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"(?ms)^```python\n(.*?)^```", PAGE)
SOURCE = Path(dynaferry.__file__).parents[1]


@pytest.fixture
async def here(moto_world: MotoWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MotoWorld:
    """Two accounts that the environment leads to, and a directory of one's own."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_world.url)
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.chdir(tmp_path)
    for table in ("orders", "events"):
        await moto_world.source_tables.create_table(table)
        items = [{"pk": {"S": f"k{n}"}, "n": {"N": str(n)}} for n in range(20)]
        await moto_world.source_tables.put_items(table, items)
    return moto_world


async def test_every_block_of_the_page_runs_in_its_order(
    here: MotoWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {}
    assert len(BLOCKS) >= 4
    for block in BLOCKS:
        code = compile(block, "library.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        result = eval(code, names)  # noqa: S307  # the page's own
        if inspect.isawaitable(result):
            await result
    said = capsys.readouterr().out
    assert "complete 20" in said
    assert "40 items, $" in said
    assert "events complete 20" in said
    assert "100% of 20 items" in said
    for table in ("orders-2026", "orders-2027", "events-2027", "orders-2028"):
        assert len(await here.target_tables.read_table(table)) == 20


def test_the_page_names_every_name_that_the_package_gives() -> None:
    of_their_own = {"RunSummary", "TableSummary", "VerifySummary", "RunEstimate", "TableEstimate"}
    unnamed = {
        name
        for name in dynaferry.__all__
        if not re.search(rf"\b{re.escape(name)}\b", PAGE) and name not in of_their_own
    }
    assert unnamed == {"DynaferryError", "RetryableError", "TableProgress", "__version__"}


def job_of(state_dir: Path) -> CopyJob:
    return CopyJob(
        CopyPlan.for_table(
            "orders",
            "orders-copied",
            to=Account(role_arn=TARGET_ROLE_ARN),
            create_target=True,
            state_dir=state_dir,
            segments=4,
        )
    )


async def seen(job: CopyJob) -> None:
    """Returns once the job has a progress to show."""
    with anyio.fail_after(30):
        while job.progress is None:  # noqa: ASYNC110  # it is told to the job, not to a test
            await asyncio.sleep(0.01)


async def test_the_service_copies_is_slowed_down_held_and_let_go(
    here: MotoWorld, tmp_path: Path
) -> None:
    job = job_of(tmp_path / "state")
    assert job.status() == "checking both tables"
    job.begin()
    await seen(job)
    await job.hold()
    await job.slow_down(1000)
    await job.let_go()
    summary = await job.end()
    assert summary is not None
    assert summary.status == "complete"
    assert job.status().startswith("100%, 20 items")


async def test_the_service_says_why_a_copy_failed(here: MotoWorld, tmp_path: Path) -> None:
    job = CopyJob(CopyPlan.for_table("nothing", "nothing", state_dir=tmp_path / "state"))
    job.begin()
    assert await job.end() is None
    assert job.failure is not None
    assert "nothing" in job.failure.message


async def test_a_service_that_is_shut_down_leaves_a_copy_that_resumes(
    here: MotoWorld, tmp_path: Path
) -> None:
    job = job_of(tmp_path / "state")
    job.begin()
    await seen(job)
    await job.stop()
    again = job_of(tmp_path / "state")
    again.begin()
    summary = await again.end()
    assert summary is not None
    assert (summary.status, summary.tables[0].items_written) == ("complete", 20)


# The orchestrator's task -------------------------------------------------------------------------


def ended_with(monkeypatch: pytest.MonkeyPatch, code: int, stdout: bytes = b"{}") -> None:
    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        assert command[1:4] == ["-m", "dynaferry", "copy"]
        return subprocess.CompletedProcess(command, code, stdout)

    monkeypatch.setattr("docs.examples.orchestrator_task.subprocess.run", run)


@pytest.mark.parametrize("code", [5, 130, 137, -9, -15])
def test_a_task_is_tried_again_where_the_same_command_resumes(
    code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended_with(monkeypatch, code)
    with pytest.raises(orchestrator_task.TryAgain, match="the same command resumes"):
        orchestrator_task.copy_task(["orders", "orders"])


@pytest.mark.parametrize("code", [1, 2, 3, 4, 6])
def test_a_task_gives_up_where_a_person_has_to_decide(
    code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended_with(monkeypatch, code, b'{"error": {"message": "the target is not empty"}}')
    with pytest.raises(orchestrator_task.GiveUp, match="the target is not empty"):
        orchestrator_task.copy_task(["orders", "orders"])


def test_a_task_runs_the_command_and_gives_its_document(
    here: MotoWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(SOURCE))
    document = orchestrator_task.copy_task(
        ["orders", "orders", "--create-target", "--target-role-arn", TARGET_ROLE_ARN]
    )
    assert (document["status"], document["tables"][0]["items_written"]) == ("complete", 20)
    with pytest.raises(orchestrator_task.GiveUp, match="exit code 2"):
        orchestrator_task.copy_task(["orders", "no table's name"])


def test_the_examples_are_those_that_the_page_names() -> None:
    named = set(re.findall(r"\(examples/(\w+\.py)\)", PAGE))
    there = {Path(str(each.__file__)).name for each in (asyncio_service, orchestrator_task)}
    assert named == there == {path.name for path in (ROOT / "docs" / "examples").glob("*.py")}
