"""`dynaferry report`: writes what a run did into one file, to keep or to send."""

from functools import partial
from pathlib import Path

from dynaferry.cli import exit_codes, failure, screen
from dynaferry.cli.interrupts import run_async
from dynaferry.follow.stored_move import read_whole_move
from dynaferry.observe.next_steps import Commands
from dynaferry.plan.resume_command import typed_again
from dynaferry.plan.settings import DEFAULT_STATE_DIR
from dynaferry.report.certificate import check_belongs, read_certificate
from dynaferry.report.move_section import last_applied_at
from dynaferry.report.page import render
from dynaferry.report.stored_run import StoredRun, read_stored_run
from dynaferry.report.stored_steps import steps_of
from dynaferry.shared.files import refusals_raised, write_whole
from dynaferry.state.directory import sole_run


def run_report(run: str | None, state_dir: Path, output: Path, certificate: Path | None) -> int:
    """Writes the report and returns the exit code; every error is reported."""
    try:
        name = sole_run(state_dir, run)
        stored = run_async(partial(read_stored_run, state_dir, name, whole=True))
        moved = read_whole_move(state_dir, name, len(stored.record.identity.tables))
        verified = None
        if certificate is not None:
            verified = read_certificate(certificate)
            check_belongs(verified, stored, certificate, last_applied_at(moved))
        _write(
            output, render(stored, verified, moved, steps_of(stored, _commands(stored, state_dir)))
        )
    except KeyboardInterrupt:
        return exit_codes.INTERRUPTED
    except Exception as error:  # noqa: BLE001  # the edge: everything is reported, nothing raised
        return failure.report(error, as_json=False, run=run)
    screen.say(f"the report of {name} is {output}")
    return exit_codes.COMPLETE


def _commands(stored: StoredRun, state_dir: Path) -> Commands:
    """The commands as they are typed where the run was started: a report goes elsewhere."""
    is_default = state_dir == DEFAULT_STATE_DIR
    return Commands(
        state_dir=None if is_default else str(state_dir),
        **typed_again(stored.command),
    )


def _write(output: Path, text: str) -> None:
    with refusals_raised(f"the report {output}", hint="its directory must be there, and writable"):
        write_whole(output, text.encode(errors="replace"), private=False)
