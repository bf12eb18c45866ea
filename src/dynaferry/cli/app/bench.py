"""`dynaferry bench`: what can be typed."""

from pathlib import Path
from typing import Annotated

import typer

from dynaferry.cli.app import options
from dynaferry.cli.app.panels import (
    OUTPUT,
    SAFETY,
    SOURCE,
    SPEED,
    TARGET,
    ExampleGroup,
    PanelCommand,
    examples,
    option,
    path_option,
)
from dynaferry.plan.settings import DEFAULT_STATE_DIR, Account

bench_app = typer.Typer(
    cls=ExampleGroup,
    help="Measure your own tables: rate, latency, throttles, cost, and what a copy will take.",
    epilog=examples(
        "dynaferry bench read orders",
        "dynaferry bench write --item-bytes 2048",
        "dynaferry bench facts",
    ),
    no_args_is_help=True,
    rich_markup_mode=None,
)

Seconds = Annotated[
    float | None, option(SPEED, "How long to measure. [default: 20]", metavar="SECONDS")
]
MaxCost = Annotated[
    float | None,
    option(SAFETY, "Stop before it has cost more than this. [default: 1.00]", metavar="DOLLARS"),
]
Yes = Annotated[bool, option(SAFETY, "Do not ask before spending.", "--yes", show_default=False)]
PricePerMillionReads = Annotated[
    float | None, option(SAFETY, "Price of a million read units.", metavar="DOLLARS")
]
PricePerMillionWrites = Annotated[
    float | None, option(SAFETY, "Price of a million write units.", metavar="DOLLARS")
]
StateDir = Annotated[
    Path, path_option(SAFETY, "Where a scratch table is noted until it is dropped.", metavar="DIR")
]
ForecastItems = Annotated[
    int | None,
    option(OUTPUT, "How many items the whole copy has, for the forecast.", metavar="N", min=1),
]


@bench_app.command(
    "write",
    cls=PanelCommand,
    epilog=examples(
        "# In the target's account, for at most a quarter of a dollar.",
        "dynaferry bench write --item-bytes 2048 --max-cost 0.25 \\",
        "    --target-role-arn arn:aws:iam::222222222222:role/dynaferry-target",
    ),
)
def write(
    table: Annotated[
        str | None,
        option(
            TARGET,
            "Write to this table, where the items stay."
            " [default: a scratch table, created and dropped]",
            metavar="TABLE",
        ),
    ] = None,
    target_region: options.TargetRegion = None,
    target_profile: options.TargetProfile = None,
    target_role_arn: options.TargetRoleArn = None,
    target_external_id: options.TargetExternalId = None,
    target_endpoint_url: options.TargetEndpointUrl = None,
    sts_endpoint_url: options.StsEndpointUrl = None,
    item_bytes: Annotated[
        int | None, option(SPEED, "Size of an item. [default: 1024]", metavar="N")
    ] = None,
    sort_key: Annotated[
        bool,
        option(
            SPEED,
            "Give the scratch table a sort key: 100 items to a partition key.",
            "--sort-key",
            show_default=False,
        ),
    ] = False,
    writers: options.Writers = None,
    seconds: Seconds = None,
    max_cost: MaxCost = None,
    yes: Yes = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    price_per_million_writes: PricePerMillionWrites = None,
    forecast_items: ForecastItems = None,
    json: options.Json = False,
) -> int:
    """Write synthetic items for a while, and say what the target takes."""
    from dynaferry.bench.settings import write_plan
    from dynaferry.cli.commands.bench import run_bench

    account = Account(
        region=target_region,
        profile=target_profile,
        role_arn=target_role_arn,
        external_id=target_external_id,
        endpoint_url=target_endpoint_url,
    )
    return run_bench(
        "write",
        lambda: write_plan(
            account,
            table=table,
            item_bytes=item_bytes,
            sort_key=sort_key,
            workers=writers,
            seconds=seconds,
            max_cost=max_cost,
            price_per_million=price_per_million_writes,
            forecast_items=forecast_items,
            sts_endpoint_url=sts_endpoint_url,
            state_dir=state_dir,
        ),
        yes=yes,
        as_json=json,
    )


@bench_app.command(
    "read", cls=PanelCommand, epilog=examples("dynaferry bench read orders --seconds 10")
)
def read(
    table: Annotated[str, typer.Argument(help="The table: its name or ARN.", metavar="SOURCE")],
    source_region: options.SourceRegion = None,
    source_profile: options.SourceProfile = None,
    source_role_arn: options.SourceRoleArn = None,
    source_external_id: options.SourceExternalId = None,
    source_endpoint_url: options.SourceEndpointUrl = None,
    sts_endpoint_url: options.StsEndpointUrl = None,
    consistent_read: Annotated[
        bool,
        option(
            SOURCE,
            "Read consistently, for twice the read units.",
            "--consistent-read",
            show_default=False,
        ),
    ] = False,
    readers: options.Readers = None,
    seconds: Seconds = None,
    max_cost: MaxCost = None,
    yes: Yes = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    price_per_million_reads: PricePerMillionReads = None,
    forecast_items: ForecastItems = None,
    json: options.Json = False,
) -> int:
    """Scan a sample of a table for a while, and say what the source gives."""
    from dynaferry.bench.settings import read_plan
    from dynaferry.cli.commands.bench import run_bench

    account = Account(
        region=source_region,
        profile=source_profile,
        role_arn=source_role_arn,
        external_id=source_external_id,
        endpoint_url=source_endpoint_url,
    )
    return run_bench(
        "read",
        lambda: read_plan(
            account,
            table,
            consistent_read=consistent_read,
            workers=readers,
            seconds=seconds,
            max_cost=max_cost,
            price_per_million=price_per_million_reads,
            forecast_items=forecast_items,
            sts_endpoint_url=sts_endpoint_url,
            state_dir=state_dir,
        ),
        yes=yes,
        as_json=json,
    )


@bench_app.command(
    "facts",
    cls=PanelCommand,
    epilog=examples(
        "# In the source's account and Region; see docs/facts.md.",
        "dynaferry bench facts --source-profile production --max-cost 0.10",
    ),
)
def facts(
    source_region: options.SourceRegion = None,
    source_profile: options.SourceProfile = None,
    source_role_arn: options.SourceRoleArn = None,
    source_external_id: options.SourceExternalId = None,
    source_endpoint_url: options.SourceEndpointUrl = None,
    source_streams_endpoint_url: Annotated[
        str | None,
        option(SOURCE, "Where streams are read, as for a move.", metavar="URL"),
    ] = None,
    sts_endpoint_url: options.StsEndpointUrl = None,
    seconds: Annotated[
        float | None,
        option(SPEED, "How long changes are written. [default: 20]", metavar="SECONDS"),
    ] = None,
    max_cost: Annotated[
        float | None,
        option(SAFETY, "Stop before it has cost more. [default: 0.25]", metavar="DOLLARS"),
    ] = None,
    yes: Yes = False,
    state_dir: Annotated[
        Path,
        path_option(SAFETY, "Where the file of facts is written, for cut-over.", metavar="DIR"),
    ] = DEFAULT_STATE_DIR,
    price_per_million_writes: PricePerMillionWrites = None,
    price_per_million_reads: PricePerMillionReads = None,
    json: options.Json = False,
) -> int:
    """Measure, in scratch tables, what a move assumes of the service."""
    from dynaferry.bench.facts.settings import facts_plan
    from dynaferry.cli.commands.bench_facts import run_facts

    account = Account(
        region=source_region,
        profile=source_profile,
        role_arn=source_role_arn,
        external_id=source_external_id,
        endpoint_url=source_endpoint_url,
        streams_endpoint_url=source_streams_endpoint_url,
    )
    return run_facts(
        lambda: facts_plan(
            account,
            seconds=seconds,
            max_cost=max_cost,
            price_per_million_writes=price_per_million_writes,
            price_per_million_reads=price_per_million_reads,
            sts_endpoint_url=sts_endpoint_url,
            state_dir=state_dir,
        ),
        yes=yes,
        as_json=json,
    )
