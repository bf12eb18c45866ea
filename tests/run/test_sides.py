"""Both accounts of a run, opened: what people are told of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from dynaferry.plan.settings import Account, CopyPlan, TablePlan
from dynaferry.run.sides import open_side

ROLE = "arn:aws:iam::222222222222:role/dynaferry-target"


@pytest.mark.parametrize(
    ("account", "said"),
    [
        (
            Account(external_id="a-secret"),
            ["DYNAFERRY_TARGET_EXTERNAL_ID is not used: no role is assumed for the target"],
        ),
        (Account(external_id="a-secret", role_arn=ROLE), []),
        (Account(), []),
    ],
    ids=["without a role", "with one", "no external id"],
)
async def test_an_external_id_that_nobody_needs_is_a_notice(
    account: Account, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    @asynccontextmanager
    async def opened(*_: object, **__: object) -> AsyncIterator[None]:
        yield None

    monkeypatch.setattr("dynaferry.run.sides.open_account", opened)
    monkeypatch.setenv("DYNAFERRY_TARGET_EXTERNAL_ID", account.external_id or "")
    lines: list[str] = []
    plan = CopyPlan(tables=(TablePlan("orders", "orders"),), target=account)
    async with open_side(plan, account, "target", say=lines.append):
        assert lines == said
