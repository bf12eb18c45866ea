"""There and back and there again, in any order with writes, kills and failures: nothing is lost.

Spools, and what is done to them at a switch, are the real ones; both streams, and who applies, are
here. A writer that did not hear of a switch writes on the side that was left at any time.
"""

import tempfile
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, cast

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dynaferry.dynamodb.items.canonical import digest_of
from dynaferry.follow.own_writes import OwnWrites
from dynaferry.follow.spool import Spool
from dynaferry.follow.spool_budget import SpoolBudget
from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.spool_records import arrivals_of
from dynaferry.follow.switched_table import SwitchedTable
from dynaferry.follow.target_capture import TargetCapture
from dynaferry.ports import ChangeKind
from tests.follow.changes import change, image_of, key_named
from tests.follow.test_spool import assert_adds_up

T = TypeVar("T")
NAMES = "abcd"
KEYS = {digest_of(key_named(name)): name for name in NAMES}
Held = dict[str, int]
Stream = deque[tuple[str, int | None]]


class HereAndNow(Spool):
    """A spool whose steps are done at once, without a loop."""

    def __init__(self, file: SpoolFile) -> None:
        self._file = file
        self.disk_error = None

    async def run(self, step: Callable[[SpoolFile], T]) -> T:
        return step(self._file)


def run(call: Coroutine[Any, Any, None]) -> None:
    """Takes it to its end, which waits for nothing."""
    with suppress(StopIteration):
        call.send(None)
        raise AssertionError("it waits")


class There(RuleBasedStateMachine):
    """One table on both sides."""

    def __init__(self) -> None:
        super().__init__()
        self.place = tempfile.TemporaryDirectory()
        self.paths = [Path(self.place.name) / name for name in ("forward.sqlite", "back.sqlite")]
        self.forward, self.back = (SpoolFile.create(path, "id") for path in self.paths)
        self.source: Held = {}
        self.target: Held = {}
        self.of_source: Stream = deque()
        self.of_target: Stream = deque()
        self.stage = "following"
        self.has_returned = False
        self.version = 0
        # Keys that were written on the side that was left: which state is right people say.
        self.late: set[str] = set()
        run(self.capture().arm())

    def teardown(self) -> None:
        self.forward.close()
        self.back.close()
        self.place.cleanup()

    def capture(self) -> TargetCapture:
        return TargetCapture(
            "orders",
            HereAndNow(self.back),
            SpoolBudget(1 << 30),
            OwnWrites(),
            cast("Any", None),
            lambda _: None,
            lambda: 10.0,
        )

    # Who writes ----------------------------------------------------------------------------------

    @rule(name=st.sampled_from(NAMES), deletes=st.booleans())
    def write_source(self, name: str, deletes: bool) -> None:
        if self.stage == "switched":
            self.late.add(name)
        self.written(self.source, self.of_source, name, deletes=deletes)

    @rule(name=st.sampled_from(NAMES), deletes=st.booleans())
    @precondition(lambda self: self.stage != "following")
    def write_target(self, name: str, deletes: bool) -> None:
        if self.stage == "returned":
            self.late.add(name)
        elif not deletes or name in self.target:
            self.late.discard(name)  # what is newest there goes back; of no change there is none
        self.written(self.target, self.of_target, name, deletes=deletes)

    def written(self, held: Held, stream: Stream, name: str, *, deletes: bool) -> None:
        self.version += 1
        self.put(held, stream, name, None if deletes else self.version)

    def put(self, held: Held, stream: Stream, name: str, version: int | None) -> None:
        if held.get(name) == version:
            return  # no record
        if version is None:
            del held[name]
        else:
            held[name] = version
        stream.append((name, version))

    # Who reads and applies -----------------------------------------------------------------------

    @rule(most=st.integers(1, 5))
    def read_source(self, most: int = 1_000) -> None:
        self.stored(self.forward, self.of_source, most)

    @rule(most=st.integers(1, 5))
    def read_target(self, most: int = 1_000) -> None:
        self.stored(self.back, self.of_target, most)

    def stored(self, spool: SpoolFile, stream: Stream, most: int) -> None:
        changes = [change(*stream.popleft()) for _ in range(min(most, len(stream)))]
        if changes:
            spool.store(changes, [], 10.0)

    @rule(most=st.integers(1, 3))
    @precondition(lambda self: self.stage == "following")
    def apply_forward(self, most: int = 1_000) -> None:
        self.applied(self.forward, self.source, self.target, self.of_target, most)

    def applied(self, spool: SpoolFile, here: Held, there: Held, stream: Stream, most: int) -> None:
        for row in spool.waiting(0, most):
            name = KEYS[row.digest]
            version = here.get(name)
            if row.kind is not ChangeKind.READ_AGAIN:
                found = [v for v in range(self.version + 1) if row.image == image_of(name, v)]
                version = found[0] if found else None
            self.put(there, stream, name, version)
            spool.applied(arrivals_of([row]), 10.0)

    @rule(which=st.booleans())
    def kill(self, which: bool) -> None:
        number = int(which)
        spool = (self.forward, self.back)[number]
        spool.close()
        opened = SpoolFile.open(self.paths[number], "id")
        assert opened is not None
        if number:
            self.back = opened
            # As each process begins.
            if self.stage == "following" and (opened.passes_over or not self.has_returned):
                run(self.capture().arm())
        else:
            self.forward = opened

    # Switches ------------------------------------------------------------------------------------

    @rule(reads=st.integers(0, 3))
    @precondition(lambda self: self.stage == "following" and self.back.passes_over)
    def cut_over_that_fails(self, reads: int) -> None:
        run(self.capture().keep())
        self.stored(self.back, self.of_target, reads)
        run(self.capture().pass_over())

    @rule()
    @precondition(lambda self: self.stage == "following" and self.back.passes_over)
    def cut_over(self) -> None:
        self.read_source()
        self.apply_forward()
        run(self.capture().keep())
        assert self.target == self.source
        self.stage, self.late = "switched", set()

    @rule(most=st.integers(1, 3))
    @precondition(lambda self: self.stage == "switched")
    def cut_back_that_fails(self, most: int) -> None:
        self.read_target()
        self.applied(self.back, self.target, self.source, self.of_source, most)

    @rule()
    @precondition(lambda self: self.stage == "switched")
    def cut_back(self) -> None:
        self.read_target()
        self.applied(self.back, self.target, self.source, self.of_source, 1_000)
        for name in set(NAMES) - self.late:
            assert self.source.get(name) == self.target.get(name), name
        self.stage, self.has_returned = "returned", True

    @rule()
    @precondition(lambda self: self.stage == "returned")
    def go_forward(self) -> None:
        run(self.switched().go_forward())
        self.stage = "following"

    @rule()
    @precondition(lambda self: self.stage == "following" and not self.back.passes_over)
    def take_over(self) -> None:
        """Once all is seen that was written behind the return."""
        self.read_target()
        run(self.switched().take_over_target())

    def switched(self) -> SwitchedTable:
        table = SimpleNamespace(
            spool=HereAndNow(self.forward),
            way_back=self.capture(),
            capture=SimpleNamespace(clock=lambda: 10.0),
        )
        return SwitchedTable(cast("Any", table), cast("Any", SimpleNamespace()), cast("Any", 0))

    @invariant()
    def nothing_of_ours_goes_back_before_a_switch(self) -> None:
        if self.back.passes_over:
            assert self.back.counts().waiting == 0

    @invariant()
    def it_adds_up(self) -> None:
        assert_adds_up(self.forward)
        assert_adds_up(self.back)


TestThere = There.TestCase
TestThere.settings = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
