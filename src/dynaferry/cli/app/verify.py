"""`dynaferry verify`: what can be typed."""

from pathlib import Path
from typing import Annotated

from dynaferry.cli.app import options
from dynaferry.cli.app.panels import OUTPUT, SAFETY, SPEED, examples, option, path_option
from dynaferry.cli.flags import CopyFlags, LogFormatFlag, LogLevelFlag, ProgressFlag
from dynaferry.verify.settings import DEFAULT_LIMIT, DEFAULT_SETTLE_SECONDS

REPAIR = "Repair"

VERIFY_EXAMPLES = examples(
    "# Compare, and keep the result.",
    "dynaferry verify orders orders --certificate orders.json \\",
    "    --target-role-arn arn:aws:iam::222222222222:role/dynaferry-target",
    "# Write what is missing or different; what will be done is shown first.",
    "dynaferry verify orders orders --repair \\",
    "    --target-role-arn arn:aws:iam::222222222222:role/dynaferry-target",
)


def verify(
    source: options.SourceTable = None,
    target: options.TargetTable = None,
    exclude: options.Exclude = None,
    plan: Annotated[Path | None, options.plan_file("Compare")] = None,
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
    segments: options.Segments = None,
    readers: options.Readers = None,
    max_read_units: options.VerifyReadCap = None,
    max_write_units: options.RepairWriteCap = None,
    tables_at_once: Annotated[int | None, options.tables_at_once("compared")] = None,
    patience: options.Patience = None,
    sample: Annotated[
        float | None,
        option(SPEED, "Compare only this share of the segments, in percent.", metavar="PERCENT"),
    ] = None,
    settle: Annotated[
        float,
        option(
            SAFETY,
            "Seconds after which a difference is read again before it is reported."
            f" [default: {DEFAULT_SETTLE_SECONDS:.0f}]",
            metavar="SECONDS",
            show_default=False,
        ),
    ] = DEFAULT_SETTLE_SECONDS,
    consistent_read: Annotated[
        bool | None,
        option(
            SAFETY,
            "Scan both sides with consistent reads, for twice the read units; on by itself with"
            " --repair, --delete-extra and --certificate. What differs is read consistently in"
            " any case.",
            "--consistent-read/--no-consistent-read",
        ),
    ] = None,
    run: options.RunName = None,
    state_dir: options.StateDir = None,
    restart: options.Restart = None,
    only: options.Only = None,
    skip: options.Skip = None,
    resume: Annotated[
        bool,
        option(
            SAFETY,
            "Continue with an unfinished comparison also for --repair, --delete-extra and"
            " --certificate, which start over otherwise; all else resumes by itself.",
            "--resume",
            show_default=False,
        ),
    ] = False,
    repair: Annotated[
        bool,
        option(
            REPAIR,
            "Write what is missing or different to the target, after the plan is shown.",
            "--repair",
            show_default=False,
        ),
    ] = False,
    delete_extra: Annotated[
        bool,
        option(
            REPAIR,
            "Delete from the target what the source does not have, after the plan is shown.",
            "--delete-extra",
            show_default=False,
        ),
    ] = False,
    yes: Annotated[
        bool, option(REPAIR, "Do it without asking.", "--yes", show_default=False)
    ] = False,
    limit: Annotated[
        int,
        option(
            OUTPUT,
            f"How many differences of each table to show. [default: {DEFAULT_LIMIT}]",
            metavar="N",
            show_default=False,
        ),
    ] = DEFAULT_LIMIT,
    show_values: Annotated[
        bool,
        option(
            OUTPUT,
            "Show the values that differ as well, not only the attributes' names.",
            "--show-values",
            show_default=False,
        ),
    ] = False,
    certificate: Annotated[
        Path | None,
        path_option(
            OUTPUT,
            "Write what was compared and found to this file.",
            "--result",
            "--certificate",
            metavar="FILE",
        ),
    ] = None,
    on_end: options.OnEnd = None,
    log_format: options.LogFormat = LogFormatFlag.TEXT,
    log_level: options.LogLevel = LogLevelFlag.WARNING,
    progress: options.Progress = ProgressFlag.AUTO,
    json: options.Json = False,
) -> int:
    """Compare two tables, or the tables of a plan, and say what differs.

    Nothing is written without --repair or --delete-extra. Works while the tables are written to:
    what differs in one way at the first read and in another at the second is in flux: undecided
    and not equal. An interrupted comparison resumes with the same command and says how old its
    oldest segment is; with --repair, --delete-extra or --certificate it starts over unless --resume
    is given. One that has ended starts over.

    It follows dynaferry set, pause and resume where the state directory holds the run that copied
    these tables (--run and --state-dir as for the copy). Without such a run it cannot be addressed.

    Exit codes: 0 equal; 2 usage or plan error; 3 refused, the tables cannot be compared; 5 stopped
    by an error, resumable; 6 different or undecided; 130 interrupted, resumable.
    """
    given = dict(locals())
    from dynaferry.cli.commands.verify import run_verify
    from dynaferry.cli.verify_flags import VerifyFlags

    # Each parameter is a field of one of the two, by the same name.
    own = {name: given.pop(name) for name in VerifyFlags.__struct_fields__ if name in given}
    return run_verify(VerifyFlags(copy=CopyFlags(**given), **own))
