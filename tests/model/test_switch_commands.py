"""In no order of commands, kills and writes is anything applied that should not be, or missing."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dynaferry.follow.move_state import AllowedCommand, MoveCommand, asked, is_over
from dynaferry.state.move_records import Stage, TransitionKind, TransitionRecord, TransitionRequest
from dynaferry.state.sqlite.move_file import MoveFile, MoveMoment
from dynaferry.state.sqlite.store import SqliteStore
from tests.model.switch_process import TICK, Machine
from tests.model.switch_tables import RUN, SHOWS_WITHIN
from tests.state.contract import CREATED_AT, IDENTITY, SETTINGS, VERSION

MOMENTS: tuple[MoveMoment, ...] = ("before a go", "inside a go", "after a go")


class Switches(RuleBasedStateMachine):
    """One move with its writers, which are on one of both sides, and whoever asks."""

    def __init__(self) -> None:
        super().__init__()
        memory = Path("/dev/shm")  # noqa: S108  # a directory of our own is made in it
        self._place = tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)
        self.machine = Machine(Path(self._place.name))
        self.world = self.machine.world
        self.stage: Stage = "following"
        # Writers that have not stopped, and what they have written last where they are.
        self.writes = True
        self.written = self.world.source
        self.is_back_asked = False
        self.was_written_late = False
        self.gone: list[Stage] = []
        self.open: TransitionRecord | None = None
        self.is_waited_for = False
        self.asks = self.machine.run(self._begun())
        self.machine.start()

    async def _begun(self) -> MoveFile:
        state_dir = self.machine.state_dir
        store = await SqliteStore.create(state_dir, RUN, IDENTITY, SETTINGS, VERSION, CREATED_AT)
        await store.aclose()
        return await MoveFile.open(state_dir, RUN)

    @property
    def is_on_target(self) -> bool:
        """Whether the application uses the target."""
        return self.stage in ("switched", "going-back")

    # Time, writers, the application -------------------------------------------------------------

    @initialize(
        gone=st.sampled_from(["no", "there", "there", "back"]),
        dies_at=st.sampled_from([None, *MOMENTS]),
        compares=st.booleans(),
    )
    def it_follows(self, gone: str, dies_at: MoveMoment | None, compares: bool) -> None:
        """Most histories begin with a go, or shortly before one; in half nothing is compared."""
        self.world.compares = compares
        self._tick(TICK)
        if gone != "no":
            self.it_is_switched_as_it_should_be(0.0, dies_at if gone == "there" else None, 5)
        if gone == "back":
            self.it_goes_back_as_it_should(0.0, dies_at, 5)

    @rule(seconds=st.sampled_from([TICK, 1.0, 6.0, 6.0, 66.0]))
    def time_passes(self, seconds: float) -> None:
        for passes in (seconds, TICK):
            if self.writes:
                self._write(0.0)
            self._tick(passes)

    @rule(delay=st.sampled_from([0.0, 0.5, SHOWS_WITHIN]))
    @precondition(lambda self: self.writes)
    def the_last_write_shows_late(self, delay: float) -> None:
        self._write(delay)
        self.writes = False

    @rule()
    @precondition(lambda self: self.open is None)
    def writers_go_on(self) -> None:
        """Whoever is told that nothing was switched lets them; behind a go where they belong."""
        self.writes = True

    @rule()
    @precondition(lambda self: self.is_on_target)
    def somebody_writes_to_the_source(self) -> None:
        self.world.write(0.0)
        self.was_written_late = True

    def _write(self, delay: float) -> None:
        if self.is_on_target:
            self.world.use(delay)
        else:
            self.world.write(delay)
        self.written = self.world.version

    # Commands -----------------------------------------------------------------------------------

    @rule(
        what=st.sampled_from(
            ["cut-over", "cut-over", "cut-back", "cut-back", "check", "abort", "finish"]
        )
    )
    @precondition(lambda self: self.machine.process is not None)
    def ask(self, what: TransitionKind) -> None:
        command: MoveCommand = "cut-over" if what == "check" else what
        allowed = asked(command, self.machine.stage())
        is_to_be_done = isinstance(allowed, AllowedCommand) and not allowed.is_done_already
        if what != "check" and not is_to_be_done:
            return
        request = TransitionRequest(what=what, timeout_seconds=60.0)
        found = self.machine.run(self.asks.ask(request, self.world.now))
        if what != "check" and found.request == request:
            self.open, self.is_waited_for = found, True
            self.is_back_asked |= what == "cut-back"

    @rule(
        delay=st.sampled_from([0.0, SHOWS_WITHIN]),
        dies_at=st.sampled_from([None, None, *MOMENTS]),
        patience=st.sampled_from([1, 3, 5]),
    )
    @precondition(lambda self: self.stage in ("replaying", "following", "cutting-over"))
    def it_is_switched_as_it_should_be(
        self, delay: float, dies_at: MoveMoment | None, patience: int
    ) -> None:
        """All that leads to a go, in order, but for what is under way and a death at the go."""
        self._do_as_it_should_be("cut-over", delay, dies_at, patience)

    @rule(
        delay=st.sampled_from([0.0, SHOWS_WITHIN]),
        dies_at=st.sampled_from([None, None, *MOMENTS]),
        patience=st.sampled_from([1, 3, 5]),
    )
    @precondition(lambda self: self.is_on_target)
    def it_goes_back_as_it_should(
        self, delay: float, dies_at: MoveMoment | None, patience: int
    ) -> None:
        self._do_as_it_should_be("cut-back", delay, dies_at, patience)

    def _do_as_it_should_be(
        self, what: TransitionKind, delay: float, dies_at: MoveMoment | None, patience: int
    ) -> None:
        if self.machine.process is None:
            self.it_is_started_again(is_forward=False)
        self._tick(66.0)
        if self.machine.process is None:
            return  # what was asked before has ended it
        self._write(delay)
        self.writes = False
        self.machine.process.file.dies_at = dies_at
        self.ask(what)
        for _ in range(patience):
            self._tick(SHOWS_WITHIN)

    @rule()
    @precondition(lambda self: self.open is not None)
    def who_asked_is_killed(self) -> None:
        self.is_waited_for = False

    @rule()
    @precondition(lambda self: self.open is not None)
    def it_is_withdrawn(self) -> None:
        assert self.open is not None
        number, what, now = self.open.number, self.open.request.what, self.world.now
        if self.machine.run(self.asks.end(number, "withdrawn", now)):
            stage = self.machine.stage()
            assert (what, stage) not in {("cut-over", "switched"), ("cut-back", "returned")}
        self._look()

    # Crashes ------------------------------------------------------------------------------------

    @rule()
    @precondition(lambda self: self.machine.process is not None)
    def it_is_killed(self) -> None:
        self.machine.kill()

    @rule(moment=st.sampled_from(MOMENTS))
    @precondition(lambda self: self.machine.process is not None)
    def it_is_going_to_die_at_a_go(self, moment: MoveMoment) -> None:
        self.machine.process.file.dies_at = moment  # type: ignore[union-attr]

    @rule(is_forward=st.booleans())
    @precondition(lambda self: self.machine.process is None)
    def it_is_started_again(self, is_forward: bool) -> None:
        self.machine.start(forward=is_forward)
        assert (self.machine.process is None) == is_over(self.machine.stage())
        self._look()

    @rule()
    @precondition(lambda self: self.machine.process is not None)
    def nobody_knows_what_became_of_a_write(self) -> None:
        self.machine.process.table.give_up()  # type: ignore[union-attr]

    @rule()
    def a_late_write_lands(self) -> None:
        self.world.land_late()

    # What holds ---------------------------------------------------------------------------------

    @invariant()
    def nothing_of_ours_is_written_to_the_side_that_is_used(self) -> None:
        if self.is_on_target:
            assert self.world.target == self.written
        elif self.stage == "returned":
            assert self.world.source == self.written

    @invariant()
    def the_source_is_not_written_before_a_cut_back(self) -> None:
        assert self.is_back_asked or not self.world.written_back

    @invariant()
    def one_direction_applies_at_a_time(self) -> None:
        process = self.machine.process
        if process is None:
            return
        back = process.back
        sends_back = back is not None and (back.may_send or back.in_flight is not None)
        sends = process.table.may_send or process.table.in_flight is not None
        assert not (sends and sends_back)
        if self.is_on_target or self.stage == "returned" or is_over(self.stage):
            assert not sends
        if self.stage != "going-back":
            assert not sends_back

    @invariant()
    def nothing_is_late_on_the_side_that_is_used(self) -> None:
        process = self.machine.process
        if process is not None and self.stage in ("going-back", "returned"):
            assert not process.table.notes_late

    def _tick(self, seconds: float) -> None:
        if self.open is not None and self.is_waited_for:
            self.machine.run(self.asks.beat(self.open.number))
        self.machine.tick(seconds)
        self._look()

    def _look(self) -> None:
        """What has become of what was asked, at once: nothing else has happened since."""
        if self.open is not None:
            self.open = self.machine.run(self.asks.read_transition(self.open.number))
        before, self.stage = self.stage, self.machine.stage()
        if self.stage == "switched" and before in ("replaying", "following", "cutting-over"):
            self._is_gone("cut-over")
            assert self.world.late is None
        if self.stage == "returned" and before in ("switched", "going-back"):
            self._is_gone("cut-back")
            assert self.world.late_back is None
        if before == "returned" and self.stage != before and not is_over(self.stage):
            self.was_written_late = False  # it follows again
        if self.open is not None and self.open.outcome is not None:
            is_go = self.open.outcome == "go"
            assert not is_go or self.stage in ("switched", "returned")
            self.open = None

    def _is_gone(self, what: TransitionKind) -> None:
        assert self.open is not None
        assert (self.open.request.what, self.open.outcome) == (what, "go")
        if not self.was_written_late:
            assert self.world.target == self.world.source == self.written
        self.written = self.world.target if what == "cut-over" else self.world.source
        self.writes = False
        self.gone.append(self.stage)

    def teardown(self) -> None:
        self.machine.run(self.asks.aclose())
        self.machine.close()
        self._place.cleanup()


TestSwitches = Switches.TestCase
TestSwitches.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
