import json
import math
import shlex
from typing import Any

import pytest
from msgspec.structs import replace

from dynaferry.dynamodb.tables.description import OnDemandLimits, TableDescription, Throughput
from dynaferry.plan.settings import CopyPlan, TablePlan
from dynaferry.preflight.bottleneck import Advice, advise
from dynaferry.preflight.estimate import as_created, estimate_copy
from tests.worlds.described import BY_EMAIL, described

LARGE: dict[str, Any] = {"item_count": 100_000_000, "size_bytes": 100_000_000 * 1000}


def advised(
    source: TableDescription | None = None,
    target: TableDescription | None = None,
    *,
    total_segments: int = 256,
    **plan: Any,
) -> Advice | None:
    source = source or described(**LARGE)
    target = target or described("copy", account="222222222222")
    table = TablePlan("orders", "copy")
    estimate = estimate_copy(
        CopyPlan(tables=(table,), **plan), table, source, target, total_segments=total_segments
    )
    return advise(estimate, source, target)


def the_call(advice: Advice | None) -> list[str]:
    assert advice is not None
    assert advice.call is not None
    return shlex.split(advice.call)


def test_a_copy_that_is_over_soon_needs_no_advice() -> None:
    assert advised(described(item_count=1000, size_bytes=1_000_000)) is None


def test_a_new_target_is_warmed_at_a_price_that_is_not_known() -> None:
    advice = advised()
    assert advice is not None
    assert "new on-demand target, 4,000 WCU/s" in advice.words
    assert advice.seconds == 25_000
    assert "not known" in (advice.cost or "")
    assert the_call(advice) == [
        *("aws", "dynamodb", "update-table", "--table-name"),
        *("arn:aws:dynamodb:us-east-1:222222222222:table/copy", "--region", "us-east-1"),
        *("--warm-throughput", "WriteUnitsPerSecond=28000"),  # over in an hour
    ]


def test_a_target_that_is_yet_to_be_made_is_not_raised_by_a_name_that_may_be_anothers() -> None:
    source = described(**LARGE)
    plan = CopyPlan(tables=(TablePlan("orders", "copy"),))
    for made, call in (
        (as_created(source), "dynaferry copy --warm-target 28000"),
        (replace(source, billing_mode="PROVISIONED", provisioned=Throughput(9000, 40)), None),
    ):
        estimate = estimate_copy(plan, plan.tables[0], source, made, total_segments=256)
        advice = advise(estimate, source, None)
        assert advice is not None
        assert advice.call == call


def test_an_index_that_is_slower_than_its_table_is_named_and_raised_by_itself() -> None:
    index = replace(BY_EMAIL, warm=Throughput(12_000, 1000))
    target = described("copy", warm=Throughput(40_000, 40_000), indexes=(index,))
    advice = advised(target=target)
    assert advice is not None
    assert "index by_email warm write throughput, 1,000 WCU/s" in advice.bottleneck
    flag, update = the_call(advice)[-2:]
    assert flag == "--global-secondary-index-updates"
    assert json.loads(update) == [
        {"Update": {"IndexName": "by_email", "WarmThroughput": {"WriteUnitsPerSecond": 28_000}}}
    ]


def test_provisioned_units_are_raised_at_their_price_by_the_hour() -> None:
    target = described("copy", billing_mode="PROVISIONED", provisioned=Throughput(50, 20_000))
    advice = advised(target=target)
    assert the_call(advice)[-2:] == [
        "--provisioned-throughput",
        "ReadCapacityUnits=50,WriteCapacityUnits=40000",
    ]
    assert advice is not None
    assert advice.cost == "about $13.00 more an hour, us-east-1, Standard class; check yours"


def test_a_source_that_is_slower_than_its_target_is_the_one_to_raise() -> None:
    source = described(billing_mode="PROVISIONED", provisioned=Throughput(100, 7), **LARGE)
    advice = advised(source)
    assert advice is not None
    assert "half of the source's read capacity, 50 RCU/s" in advice.bottleneck
    assert the_call(advice)[4:5] + the_call(advice)[-1:] == [
        "arn:aws:dynamodb:us-east-1:123456789012:table/orders",
        "ReadCapacityUnits=8000,WriteCapacityUnits=7",  # half of it makes it an hour
    ]
    assert advice.cost == "about $1.03 more an hour, us-east-1, Standard class; check yours"


def test_who_asks_to_read_more_than_half_needs_no_more_units_than_that() -> None:
    source = described(billing_mode="PROVISIONED", provisioned=Throughput(100, 7), **LARGE)
    advice = advised(source, max_read_units=200.0)
    assert advice is not None
    assert "source read capacity, 100 RCU/s" in advice.bottleneck
    assert the_call(advice)[-1] == "ReadCapacityUnits=4000,WriteCapacityUnits=7"


def test_few_segments_are_what_holds_back_where_they_reach_few_partitions() -> None:
    advice = advised(total_segments=2)
    assert advice is not None
    assert advice.bottleneck == ("2 segments write to a partition each, 2,000 WCU/s")
    assert advice.call == "dynaferry copy --restart with a larger --segments"


def test_an_owners_limit_is_taken_away() -> None:
    target = described("copy", on_demand_limits=OnDemandLimits(None, 500))
    assert the_call(advised(target=target))[-2:] == [
        "--on-demand-throughput",
        "MaxWriteRequestUnits=-1",
    ]


def test_ones_own_cap_needs_no_call_to_the_service() -> None:
    advice = advised(max_write_units=100.0)
    assert advice is not None
    assert "--max-write-units as given, 100 WCU/s" in advice.bottleneck
    assert advice.call == "dynaferry set RUN --max-write-units N while it runs"


def test_a_table_without_units_is_never_done() -> None:
    target = described("copy", billing_mode="PROVISIONED", provisioned=Throughput(0, 0))
    advice = advised(target=target)
    assert advice is not None
    assert advice.seconds == math.inf
    assert "no end" in advice.words


@pytest.mark.parametrize("warm", [39_999, 40_000, 60_000])
def test_nothing_is_asked_for_beyond_the_default_quota(warm: int) -> None:
    target = described("copy", warm=Throughput(12_000, warm))
    source = described(item_count=10**10, size_bytes=10**13, warm=Throughput(10**7, 1))
    assert the_call(advised(source, target))[-1] == (f"WriteUnitsPerSecond={max(warm, 40_000)}")
