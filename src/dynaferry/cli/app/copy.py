"""`dynaferry copy`: what can be typed."""

from pathlib import Path
from typing import Annotated

from dynaferry.cli.app import options
from dynaferry.cli.app.panels import (
    OUTPUT,
    SAFETY,
    SPEED,
    TARGET,
    examples,
    option,
)
from dynaferry.cli.flags import (
    CompressFlag,
    CopyFlags,
    LogFormatFlag,
    LogLevelFlag,
    OnRejectFlag,
    ProgressFlag,
)

COPY_EXAMPLES = examples(
    "# Check first: inspects both tables, estimates time and cost, writes nothing.",
    "dynaferry copy orders orders --create-target --dry-run \\",
    "    --target-role-arn arn:aws:iam::222222222222:role/dynaferry-target",
    "# Copy, and leave most of the source to production. Again, to resume.",
    "dynaferry copy orders orders --create-target --max-read-units 500 \\",
    "    --target-role-arn arn:aws:iam::222222222222:role/dynaferry-target",
    "# Several tables, for a script.",
    "dynaferry copy --plan move.toml --progress none --json",
    "# Watched in a browser on this machine, with a button to pause it.",
    "dynaferry copy orders orders --metrics-listen 127.0.0.1:9464 --allow-control",
    "# Shown on the desktop when it is over.",
    "dynaferry copy orders orders --on-end 'notify-send \"$DYNAFERRY_ENDED_STATUS\"'",
)


def copy(
    source: options.SourceTable = None,
    target: options.TargetTable = None,
    exclude: options.Exclude = None,
    plan: Annotated[Path | None, options.plan_file("Copy")] = None,
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
    create_target: Annotated[
        bool | None,
        option(
            TARGET,
            "Create the target like the source if it is not there.",
            "--create-target/--no-create-target",
        ),
    ] = None,
    warm_target: Annotated[
        int | None,
        option(
            TARGET,
            "Ask for this many warm write units a second of the target and its indexes, and wait"
            " until they are ready. It is billed and never decreases.",
            metavar="N",
        ),
    ] = None,
    segments: options.Segments = None,
    readers: options.Readers = None,
    writers: options.Writers = None,
    max_read_units: options.CopyReadCap = None,
    max_write_units: options.CopyWriteCap = None,
    tables_at_once: Annotated[int | None, options.tables_at_once("copied")] = None,
    compress: Annotated[
        CompressFlag | None,
        option(
            SPEED,
            "Ask the source for gzip responses; auto does where it is far away."
            f" {options.default('compress')}",
        ),
    ] = None,
    patience: options.Patience = None,
    dry_run: Annotated[
        bool,
        option(SAFETY, "Check and estimate; write nothing.", "--dry-run", show_default=False),
    ] = False,
    after_copy: Annotated[
        bool,
        option(
            SAFETY,
            "Verify at once when the copy is done: compare both tables, as `verify` does.",
            "--after-copy",
            show_default=False,
        ),
    ] = False,
    consistent_read: Annotated[
        bool | None,
        option(
            SAFETY,
            "Read the source consistently, for twice the read units.",
            "--consistent-read/--no-consistent-read",
        ),
    ] = None,
    allow_non_empty_target: Annotated[
        bool | None,
        option(
            SAFETY,
            "Copy into a target that holds items; same keys are overwritten.",
            "--allow-non-empty-target/--no-allow-non-empty-target",
        ),
    ] = None,
    on_reject: Annotated[
        OnRejectFlag | None,
        option(
            SAFETY,
            "What to do with an item that the target rejects: keep it as a dead letter and"
            f" continue, or stop. {options.default('on_reject')}",
        ),
    ] = None,
    max_rejected: Annotated[
        int | None,
        option(
            SAFETY,
            "Stop when more items than this are refused, in total: that is a wrong target, not"
            f" bad items. {options.default('max_rejected')}",
            metavar="N",
        ),
    ] = None,
    run: options.RunName = None,
    state_dir: options.StateDir = None,
    restart: options.Restart = None,
    fail_fast: options.FailFast = None,
    only: options.Only = None,
    skip: options.Skip = None,
    restart_table: options.RestartTable = None,
    price_per_million_writes: Annotated[
        float | None,
        option(OUTPUT, "For the estimate: price of a million write units.", metavar="DOLLARS"),
    ] = None,
    price_per_million_reads: Annotated[
        float | None,
        option(OUTPUT, "For the estimate: price of a million read units.", metavar="DOLLARS"),
    ] = None,
    metrics_listen: options.MetricsListen = None,
    metrics_push: options.MetricsPush = None,
    metrics_textfile: options.MetricsTextfile = None,
    metrics_linger: options.MetricsLinger = 0.0,
    finish_by: options.FinishBy = None,
    on_end: options.OnEnd = None,
    allow_control: options.AllowControl = False,
    log_format: options.LogFormat = LogFormatFlag.TEXT,
    log_level: options.LogLevel = LogLevelFlag.WARNING,
    progress: options.Progress = ProgressFlag.AUTO,
    json: options.Json = False,
) -> int:
    """Copy one table, or the tables of a plan. The same command again resumes.

    Exit codes: 0 done; 2 usage or plan error; 3 refused before anything was written; 4 done, but
    items were rejected; 5 stopped by an error, or some tables failed, resumable; 6 done, but
    --after-copy found other differences than the rejected items; 130 interrupted, resumable.
    """
    # CopyFlags has a field for each of these parameters, by the same name.
    flags = CopyFlags(**locals())
    from dynaferry.cli.commands.copy import run_copy

    return run_copy(flags)
