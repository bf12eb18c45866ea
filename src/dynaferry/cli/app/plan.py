"""`dynaferry plan`: what can be typed."""

from pathlib import Path
from typing import Annotated

import typer

from dynaferry.cli.app import options
from dynaferry.cli.app.panels import OUTPUT, examples, path_option
from dynaferry.cli.flags import CopyFlags

PLAN_EXAMPLES = examples(
    "# All tables that begin with prod-, under other names, but for two.",
    "dynaferry plan 'prod-*' 'new-*' --exclude prod-audit --exclude '*-tmp' \\",
    "    --target-role-arn arn:aws:iam::222222222222:role/dynaferry-target \\",
    "    > move.toml",
    "# All tables of the account and Region.",
    "dynaferry plan '*' > move.toml",
    "dynaferry copy --plan move.toml --dry-run",
)


def plan(
    source: Annotated[
        str,
        typer.Argument(
            help="The source tables: a pattern of names such as 'prod-*', or one name or ARN.",
            metavar="SOURCE",
        ),
    ],
    target: options.TargetTable = None,
    exclude: options.Exclude = None,
    output: Annotated[
        Path | None,
        path_option(
            OUTPUT, "The file to write. [default: stdout]", "--output", "-o", metavar="PLAN.toml"
        ),
    ] = None,
    source_region: options.SourceRegion = None,
    source_profile: options.SourceProfile = None,
    source_role_arn: options.SourceRoleArn = None,
    source_external_id: options.SourceExternalId = None,
    source_endpoint_url: options.SourceEndpointUrl = None,
    target_region: options.TargetRegion = None,
    target_profile: options.TargetProfile = None,
    target_role_arn: options.TargetRoleArn = None,
    target_external_id: options.TargetExternalId = None,
    target_endpoint_url: options.TargetEndpointUrl = None,
    sts_endpoint_url: options.StsEndpointUrl = None,
) -> int:
    """Write a plan file for the tables that a pattern matches: with sizes, and usable as it is.

    Only the source is asked; nothing is written to either side.

    Exit codes: 0 done; 2 usage error; 3 refused, nothing matches or the tables cannot be listed.
    """
    given = dict(locals())
    output_file = given.pop("output")
    from dynaferry.cli.commands.plan import run_plan

    return run_plan(CopyFlags(**given), output_file)
