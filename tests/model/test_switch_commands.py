"""In no order of commands, kills and writes is anything applied that should not be, or missing."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dynaferry.follow.move_state import AllowedCommand, asked, is_over
from dynaferry.state.move_records import TransitionKind, TransitionRecord, TransitionRequest
from dynaferry.state.sqlite.move_file import MoveFile, MoveMoment
from dynaferry.state.sqlite.store import SqliteStore
from tests.model.switch_process import RUN, SHOWS_WITHIN, TICK, Machine
from tests.state.contract import CREATED_AT, IDENTITY, SETTINGS, VERSION

MOMENTS: tuple[MoveMoment, ...] = ("before a go", "inside a go", "after a go")


class Switches(RuleBasedStateMachine):
    """One move with its writers, its application, and whoever asks."""

    def __init__(self) -> None:
        super().__init__()
        memory = Path("/dev/shm")  # noqa: S108  # a directory of our own is made in it
        self._place = tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)
        self.machine = Machine(Path(self._place.name))
        self.world = self.machine.world
        self.writes = True
        self.has_gone = False
        self.is_used: int | None = None  # what its application has written to the target last
        self.open: TransitionRecord | None = None
        self.is_waited_for = False
        self.asks = self.machine.run(self._begun())
        self.machine.start()

    async def _begun(self) -> MoveFile:
        state_dir = self.machine.state_dir
        store = await SqliteStore.create(state_dir, RUN, IDENTITY, SETTINGS, VERSION, CREATED_AT)
        await store.aclose()
        return await MoveFile.open(state_dir, RUN)

    # Time, writers, the application -------------------------------------------------------------

    @initialize(dies_at=st.sampled_from([None, *MOMENTS]), is_begun=st.booleans())
    def it_follows(self, dies_at: MoveMoment | None, is_begun: bool) -> None:
        """Half of the histories begin with a go, or shortly before one."""
        self.machine.tick()
        if is_begun:
            self.it_is_switched_as_it_should_be(0.0, dies_at, 5)

    @rule(seconds=st.sampled_from([TICK, 1.0, 6.0, 6.0, 66.0]))
    def time_passes(self, seconds: float) -> None:
        for passes in (seconds, TICK):
            # Writers that have not stopped write.
            if self.writes and not self.has_gone:
                self.world.write(0.0)
            self._tick(passes)

    @rule(delay=st.sampled_from([0.0, 0.5, SHOWS_WITHIN]))
    @precondition(lambda self: self.writes and not self.has_gone)
    def the_last_write_shows_late(self, delay: float) -> None:
        self.world.write(delay)
        self.writes = False

    @rule()
    @precondition(lambda self: not self.has_gone and self.open is None)
    def writers_go_on(self) -> None:
        """Whoever is told that nothing was switched lets them."""
        self.writes = True

    @rule()
    @precondition(lambda self: self.has_gone)
    def somebody_writes_to_the_source(self) -> None:
        self.world.write(0.0)

    @rule()
    @precondition(lambda self: self.has_gone)
    def the_target_is_used(self) -> None:
        self.world.version += 1
        self.world.target = self.is_used = self.world.version

    # Commands -----------------------------------------------------------------------------------

    @rule(what=st.sampled_from(["cut-over", "cut-over", "cut-over", "check", "abort", "finish"]))
    @precondition(lambda self: self.machine.process is not None)
    def ask(self, what: TransitionKind) -> None:
        stage = self.machine.stage()
        command = "cut-over" if what == "check" else what
        allowed = asked(command, stage)
        is_to_be_done = isinstance(allowed, AllowedCommand) and not allowed.is_done_already
        if what != "check" and not is_to_be_done:
            return
        request = TransitionRequest(what=what, timeout_seconds=60.0)
        found = self.machine.run(self.asks.ask(request, self.world.now))
        if what != "check" and found.request == request:
            self.open, self.is_waited_for = found, True

    @rule(
        delay=st.sampled_from([0.0, SHOWS_WITHIN]),
        dies_at=st.sampled_from([None, None, *MOMENTS]),
        patience=st.sampled_from([1, 3, 5]),
    )
    @precondition(lambda self: not (self.has_gone or is_over(self.machine.stage())))
    def it_is_switched_as_it_should_be(
        self, delay: float, dies_at: MoveMoment | None, patience: int
    ) -> None:
        """All that leads to a go, in order, but for what is under way and a death at the go."""
        if self.machine.process is None:
            self.machine.start()
        self._tick(66.0)
        if self.machine.process is None:
            return  # what was asked before has ended it
        self.the_last_write_shows_late(delay)
        self.machine.process.file.dies_at = dies_at
        self.ask("cut-over")
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
        number, now = self.open.number, self.world.now
        if self.machine.run(self.asks.end(number, "withdrawn", now)):
            assert self.open.request.what == "finish" or not self.has_gone
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

    @rule()
    @precondition(lambda self: self.machine.process is None)
    def it_is_started_again(self) -> None:
        self.machine.start()
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
    def nothing_is_written_to_a_target_that_is_used(self) -> None:
        if self.is_used is not None:
            assert self.world.target == self.is_used

    @invariant()
    def nothing_is_sent_where_no_state_lets_it(self) -> None:
        process = self.machine.process
        if process is not None and (self.has_gone or is_over(self.machine.stage())):
            assert not process.table.may_send
            assert process.table.in_flight is None

    def _tick(self, seconds: float) -> None:
        if self.open is not None and self.is_waited_for:
            self.machine.run(self.asks.beat(self.open.number))
        self.machine.tick(seconds)
        self._look()

    def _look(self) -> None:
        """What has become of what was asked, at once: nothing else has happened since."""
        if self.open is not None:
            self.open = self.machine.run(self.asks.read_transition(self.open.number))
        stage = self.machine.stage()
        if stage == "switched" and not self.has_gone:
            self.has_gone, self.writes = True, False
            assert self.open is not None
            assert self.open.outcome == "go"
            assert self.world.target == self.world.source
            assert self.world.late is None
            self.is_used = self.world.target
        if self.open is not None and self.open.outcome is not None:
            assert (self.open.outcome == "go") <= self.has_gone
            self.open = None

    def teardown(self) -> None:
        self.machine.run(self.asks.aclose())
        self.machine.close()
        self._place.cleanup()


TestSwitches = Switches.TestCase
TestSwitches.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
