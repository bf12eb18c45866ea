"""`copy --after-copy`: the verification that follows a copy, and what both come to together.

One document: the copy's, with the verification's as its field `verify`, null where there was
nothing to verify. One exit code: the copy's, unless the verification found what the copy does not
explain, could not decide, or did not come to its end.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import msgspec

from dynaferry.cli import exit_codes, failure, screen
from dynaferry.cli.commands.verify import NOTHING_COMPARED, verify_and_print
from dynaferry.verify.settings import VerifyPlan
from dynaferry.verify.summary import VerifySummary

if TYPE_CHECKING:
    from dynaferry.cli.commands.verify import Around
    from dynaferry.cli.flags import CopyFlags
    from dynaferry.observe.summary import RunSummary
    from dynaferry.plan.settings import CopyPlan


def verify_after(
    copied: RunSummary, code: int, plan: CopyPlan, flags: CopyFlags, around: Around = nullcontext
) -> int:
    """Verifies what was copied, prints the one document, and returns the one exit code.

    What `around` makes is entered in the event loop of the verification.
    """
    verified = None
    if copied.status == "complete" or copied.status == "rejected":
        verified = _verify(copied, plan, flags, around)
    if flags.json:
        _print(copied, verified)
    return code if verified is None else combined(code, verified)


def _print(copied: RunSummary, verified: VerifySummary | None) -> None:
    document: dict[str, Any] = msgspec.structs.asdict(copied) | {"verify": verified}
    screen.print_document(msgspec.json.encode(document).decode())


def _verify(copied: RunSummary, plan: CopyPlan, flags: CopyFlags, around: Around) -> VerifySummary:
    # What an earlier verification had seen is of no use once something was copied since.
    is_new = any(table.seconds > 0 for table in copied.tables)
    wanted = VerifyPlan(copy=msgspec.structs.replace(plan, restart=plan.restart or is_new))

    def failed(error: Exception) -> VerifySummary:
        failure.print_error(error)
        summary = failure.summarize(error)
        return VerifySummary(run=plan.run_name, status="failed", error=summary)

    def last_words(error: Exception) -> None:
        verified = failed(error)
        if flags.json:
            _print(copied, verified)

    try:
        return verify_and_print(
            wanted, flags.progress, asks=False, last_words=last_words, around=around
        ).summary
    except KeyboardInterrupt:
        screen.say(NOTHING_COMPARED)
        return VerifySummary(run=plan.run_name, status="interrupted", error=None)
    except Exception as error:  # noqa: BLE001  # the edge: everything is reported, nothing raised
        return failed(error)


def combined(code: int, verified: VerifySummary) -> int:
    """The exit code of a copy that ended with `code`, and of its verification."""
    if verified.status == "equal":
        return code
    if verified.status == "different":
        unexplained = any(t.missing or t.extra or t.different for t in verified.tables)
        undecided = any(t.undecided for t in verified.tables)
        is_more = unexplained or undecided
        return exit_codes.DIFFERENT if is_more else max(code, exit_codes.REJECTED)
    if verified.status == "undecided":
        return exit_codes.DIFFERENT
    # Something was written: that it was refused would say the contrary.
    return exit_codes.INTERRUPTED if verified.status == "interrupted" else exit_codes.FAILED
