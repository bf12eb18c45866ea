"""Which command is done in which state; and in no order do two directions apply at a time."""

import itertools

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dynaferry.follow.move_state import (
    STAGES,
    AllowedCommand,
    MoveCommand,
    MoveEvent,
    RefusedCommand,
    after,
    asked,
    direction,
    is_over,
    written_side,
)
from dynaferry.state.move_records import Stage

COMMANDS: tuple[MoveCommand, ...] = (
    "move",
    "forward",
    "cut-over",
    "cut-back",
    "finish",
    "abort",
)
EVENTS: tuple[MoveEvent, ...] = (
    "the scan begins",
    "the copy is complete",
    "the replay is over",
    "records were lost",
    "every key was compared",
    "go",
    "nothing was switched",
)
BEFORE: tuple[Stage, ...] = ("capturing", "copying", "replaying", "following", "re-syncing")
# What each command leads to, by state; what is not here is refused.
LEADS_TO: dict[MoveCommand, dict[Stage, Stage]] = {
    "move": {stage: stage for stage in (*BEFORE, "switched", "returned")}
    | {"cutting-over": "following", "going-back": "switched"},
    "forward": {stage: stage for stage in (*BEFORE, "cutting-over")} | {"returned": "following"},
    "cut-over": {"following": "cutting-over", "switched": "switched"},
    "cut-back": {"switched": "going-back", "returned": "returned"},
    "finish": {"switched": "finished", "returned": "finished", "finished": "finished"},
    "abort": dict.fromkeys((*BEFORE, "cutting-over", "aborted"), "aborted"),
}


@pytest.mark.parametrize(("command", "stage"), list(itertools.product(COMMANDS, STAGES)))
def test_each_command_is_done_or_refused_as_the_table_says(
    command: MoveCommand, stage: Stage
) -> None:
    answer = asked(command, stage)
    wanted = LEADS_TO[command].get(stage)
    if wanted is None:
        assert isinstance(answer, RefusedCommand)
        assert answer.why
        assert answer.why[-1] not in ".!"
    else:
        assert isinstance(answer, AllowedCommand)
        assert answer.to == wanted


def test_what_was_done_already_is_told_so_and_changes_nothing() -> None:
    done: list[tuple[MoveCommand, Stage]] = [
        ("cut-over", "switched"),
        ("cut-back", "returned"),
        ("finish", "finished"),
        ("abort", "aborted"),
    ]
    for command, stage in done:
        assert asked(command, stage) == AllowedCommand(stage, is_done_already=True)


def test_without_a_way_back_there_is_no_cut_back_and_it_says_why() -> None:
    answer = asked("cut-back", "switched", has_way_back=False)
    assert isinstance(answer, RefusedCommand)
    assert "--way-back none" in answer.why


def test_what_cannot_happen_is_an_error_and_not_another_state() -> None:
    with pytest.raises(ValueError, match="cannot happen while it is following"):
        after("go", "following")
    for event in EVENTS:
        for stage in ("finished", "aborted"):
            with pytest.raises(ValueError, match="cannot happen"):
                after(event, stage)


def test_the_source_is_written_on_the_way_back_alone_and_the_target_never_after_the_switch() -> (
    None
):
    assert [stage for stage in STAGES if written_side(stage) == "source"] == ["going-back"]
    for stage in STAGES[STAGES.index("switched") :]:
        assert written_side(stage) != "target"
        assert direction(stage) != "forward"
    for stage in STAGES:
        applied_to = {"forward": "target", "back": "source", None: written_side(stage)}
        assert written_side(stage) == applied_to[direction(stage)]


class Orders(RuleBasedStateMachine):
    """Any order of commands, events and kills: two processes, one durable state."""

    def __init__(self) -> None:
        super().__init__()
        self.stage: Stage = "capturing"
        self.runs = True
        # What is applied by the process that runs: it begins and ends with the stored state alone.
        self.applies = direction(self.stage)
        self.has_asked_back = False
        self.has_switched = False

    @rule(command=st.sampled_from([c for c in COMMANDS if c != "move"]), way_back=st.booleans())
    def ask(self, command: MoveCommand, way_back: bool) -> None:
        answer = asked(command, self.stage, has_way_back=way_back)
        if isinstance(answer, AllowedCommand):
            assert answer.is_done_already == (answer.to == self.stage)
            if command == "cut-back" and answer.to == "going-back":
                self.has_asked_back = True
            if command == "forward" and self.stage == "returned":
                self.has_asked_back = self.has_switched = False
            self.enter(answer.to)

    @rule(event=st.sampled_from(EVENTS))
    @precondition(lambda self: self.runs)
    def happen(self, event: MoveEvent) -> None:
        before = self.stage
        try:
            to = after(event, before)
        except ValueError:
            return
        self.has_switched = self.has_switched or (event, before) == ("go", "cutting-over")
        self.enter(to)

    @rule()
    def kill(self) -> None:
        self.runs, self.applies = False, None

    @rule()
    @precondition(lambda self: not self.runs)
    def start_again(self) -> None:
        answer = asked("move", self.stage)
        if isinstance(answer, AllowedCommand):
            self.runs = True
            self.enter(answer.to)

    def enter(self, stage: Stage) -> None:
        # Nothing but a cut-over's go leads to the far side, and nothing leads back by itself.
        if stage in ("switched", "going-back", "returned"):
            assert self.has_switched
        self.stage = stage
        self.applies = direction(stage) if self.runs else None

    @invariant()
    def the_source_is_not_written_before_a_cut_back(self) -> None:
        if self.applies == "back" or written_side(self.stage) == "source":
            assert self.has_asked_back

    @invariant()
    def nothing_is_applied_to_the_target_once_it_is_in_use(self) -> None:
        if self.has_switched and self.stage != "returned":
            assert self.applies != "forward"

    @invariant()
    def nothing_is_applied_once_it_is_over(self) -> None:
        if is_over(self.stage):
            assert direction(self.stage) is None
            assert written_side(self.stage) is None


TestOrders = Orders.TestCase
TestOrders.settings = settings(max_examples=150, stateful_step_count=30)
