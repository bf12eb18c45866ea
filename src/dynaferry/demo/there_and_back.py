"""The switch of the demo, and its way back: asked of the running move as the commands ask it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from dynaferry.demo import accounts
from dynaferry.demo.writer import SourceWriter
from dynaferry.dynamodb.account.session import open_account
from dynaferry.errors import NotReadyError
from dynaferry.follow.asking import MoveAsker
from dynaferry.plan.settings import CopyPlan
from dynaferry.run.lifecycle import closing
from dynaferry.state.move_records import TransitionRequest
from dynaferry.state.sqlite.move_file import MoveFile
from dynaferry.stop import StopSignal

if TYPE_CHECKING:
    from dynaferry.follow.move_state import MoveCommand

Say = Callable[[str], None]

WRITES: Final = 10


async def switch_and_go_back(
    plan: CopyPlan, writer: SourceWriter, stop: StopSignal, say: Say
) -> None:
    """Switches to the target, has it written, and goes back to the source with what was written.

    :raises NotReadyError: the move did not switch
    """
    say("5. dynaferry cut-over: the application has stopped, and starts again on the target")
    await _ask(plan, TransitionRequest(what="cut-over"), stop, say)
    target = open_account(plan.target, "target", sts_endpoint_url=plan.sts_endpoint_url)
    async with target as session:
        await writer.write_to(session.client, WRITES)
    say(f"   {WRITES} writes to the target, of which the source knows nothing")
    say("6. dynaferry cut-back: back to the source, through a role that may write it")
    role = accounts.WAY_BACK_ROLE_ARN
    await _ask(plan, TransitionRequest(what="cut-back", write_role_arn=role), stop, say)


async def _ask(plan: CopyPlan, request: TransitionRequest, stop: StopSignal, say: Say) -> None:
    what: MoveCommand = "cut-back" if request.what == "cut-back" else "cut-over"
    file = await MoveFile.open(plan.state_dir, plan.run_name)
    async with closing(file):
        asker = MoveAsker(file, plan.state_dir, plan.run_name, stop, lambda line: say(f"  {line}"))
        answer = await asker.ask(what, request)
    if answer.outcome != "go" and not stop.asked:
        raise NotReadyError(f"the {what} of the demo: {'; '.join(answer.reply.reasons)}")
    if answer.reply.seconds is not None:
        say(f"   go, {answer.reply.seconds:.1f} s after the last change")
