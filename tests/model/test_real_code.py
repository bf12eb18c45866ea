"""The same machine drives the real ledger, watermarks and state file, step by step."""

import asyncio
import random
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec import Raw

from dynaferry.copy.ledger import Ledger
from dynaferry.copy.pending_page import Batch
from dynaferry.plan.recorded import recorded_settings
from dynaferry.ports import Page
from dynaferry.state.directory import log_paths, state_path
from dynaferry.state.records import (
    DeadLetter,
    SegmentRecord,
    TableCounters,
)
from dynaferry.state.sqlite.store import SqliteStore
from tests.copy.small_copy import RUN, small_identity, small_plan
from tests.model.protocol import BATCHES, CRASHES, PAGES, REFUSED, Protocol, Record, Segment, Step
from tests.state.stored_letters import stored_letters

SEGMENTS = 2
ITEMS_OF_A_BATCH = 3
FILTERED_OF_A_PAGE = 1
CHECKPOINT_SHARE = 0.15


class RealRun(RuleBasedStateMachine):
    """What the model may do next is done to the code, and both must say the same."""

    def __init__(self) -> None:
        super().__init__()
        self.protocol = Protocol()
        self.segments = [Segment() for _ in range(SEGMENTS)]
        self.crashes = 0
        self.target: set[tuple[int, int, int]] = set()
        self.taken: list[SegmentRecord] | None = None
        self.directory = Path(tempfile.mkdtemp())
        self.runner = asyncio.Runner()
        plan = small_plan(self.directory)
        self.store: SqliteStore = self.runner.run(
            SqliteStore.create(
                self.directory, RUN, small_identity(SEGMENTS), recorded_settings(plan), "0", 0.0
            )
        )
        self._begin()

    def teardown(self) -> None:
        self.runner.run(self.store.aclose())
        self.runner.close()
        shutil.rmtree(self.directory)

    # Steps ---------------------------------------------------------------------------------------

    @rule(seed=st.integers(0, 2**32), count=st.integers(1, 30))
    def go_on(self, seed: int, count: int) -> None:
        """Some steps of any segment, each as likely as the other, and checkpoints between them:
        drawn one by one, hypothesis would seldom come as far as a stored page.
        """
        chance = random.Random(seed)
        for _ in range(count):
            steps = [
                (number, step, after)
                for number, segment in enumerate(self.segments)
                for step, after in self.protocol.steps(segment)
            ]
            if chance.random() < CHECKPOINT_SHARE:
                self.begin_checkpoint() if self.taken is None else self.end_checkpoint()
            elif steps:
                self._take(*chance.choice(steps))

    def _take(self, number: int, step: Step, after: Segment) -> None:
        match step.what:
            case "read":
                self._read(number, step.page)
            case "keep":
                self._keep(number, step)
            case "acknowledge":
                rejected = ITEMS_OF_A_BATCH if (step.page, step.batch) == REFUSED else 0
                batch = _batch(number, step)
                self.ledger.acknowledge(
                    batch.segment,
                    batch.page,
                    written=len(batch.items) - rejected,
                    rejected=rejected,
                )
        self.segments[number] = after

    @precondition(lambda self: self.taken is None)
    @rule()
    def begin_checkpoint(self) -> None:
        self.taken = self.ledger.changed_records()
        self.segments = [self.protocol.begin_checkpoint(segment) for segment in self.segments]

    @precondition(lambda self: self.taken is not None)
    @rule()
    def end_checkpoint(self) -> None:
        assert self.taken is not None
        self.runner.run(self.store.checkpoint(0, self.taken, TableCounters()))
        self.ledger.stored(self.taken)
        self.taken = None
        self.segments = [self.protocol.end_checkpoint(segment) for segment in self.segments]

    @precondition(
        lambda self: self.crashes < CRASHES and any(s.record.pages for s in self.segments)
    )
    @rule()
    def crash_and_resume(self) -> None:
        """The files as they are now are all that the next attempt finds."""
        self.crashes += 1
        left = self.directory / f"left-{self.crashes}"
        left.mkdir()
        path = state_path(Path(self.store._file.path).parent, RUN)
        for file in (path, log_paths(path)[0]):
            shutil.copyfile(file, left / file.name)
        self.runner.run(self.store.aclose())
        self.store = self.runner.run(SqliteStore.open(left, RUN))
        self.taken = None
        self.segments = [self.protocol.crash_and_resume(segment) for segment in self.segments]
        self._begin()

    # The code ------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self.runner.run(self.store.begin_attempt("0", 0.0))
        self.ledger = Ledger(SEGMENTS, self.runner.run(self.store.read_segments(0)))

    def _read(self, segment: int, page: int) -> None:
        # Room for another page is there exactly when the model may read.
        self.runner.run(asyncio.wait_for(self.ledger.wait_for_room(segment), 10))
        start = self.ledger.record(segment).last_evaluated_key
        if not self.segments[segment].open_pages:
            assert start == (_key(page) if page else None)
        number = self.ledger.page_read(
            segment,
            Page(
                items=[Raw(b"{}")] * (BATCHES * ITEMS_OF_A_BATCH),
                last_evaluated_key=_key(page + 1) if page + 1 < PAGES else None,
                scanned_count=BATCHES * ITEMS_OF_A_BATCH + FILTERED_OF_A_PAGE,
                body_bytes=100,
            ),
        )
        assert number == page

    def _keep(self, segment: int, step: Step) -> None:
        if (step.page, step.batch) == REFUSED:
            letters = [_letter(segment, step.page, n) for n in range(ITEMS_OF_A_BATCH)]
            self.runner.run(self.store.add_dead_letters(letters))
        else:
            self.target.add((segment, step.page, step.batch))

    # What must be true ---------------------------------------------------------------------------

    @invariant()
    def the_ledger_stands_where_the_model_stands(self) -> None:
        for number, segment in enumerate(self.segments):
            assert _of(self.ledger.record(number)) == segment.record
        complete = sum(segment.is_complete for segment in self.segments)
        assert self.ledger.complete_segments == complete
        assert self.ledger.is_complete == (complete == SEGMENTS)

    @invariant()
    def what_is_stored_is_what_the_model_stored_and_it_is_kept(self) -> None:
        """Invariants 1 and 2, of the file itself."""
        records = {r.segment: r for r in self.runner.run(self.store.read_segments(0))}
        letters = {
            (letter.segment, letter.page) for letter in self.runner.run(stored_letters(self.store))
        }
        for number, segment in enumerate(self.segments):
            stored = _of(records[number]) if number in records else Record()
            assert stored == segment.stored
            for page in range(stored.pages):
                for batch in range(BATCHES):
                    if (page, batch) == REFUSED:
                        assert (number, page) in letters
                    else:
                        assert (number, page, batch) in self.target
        totals = self.runner.run(self.store.read_totals(0))
        done = totals.items_written + totals.items_rejected + totals.items_filtered
        assert totals.items_read == done


RealRun.TestCase.settings = settings(max_examples=20, stateful_step_count=40, deadline=None)
TestRealRun: Any = RealRun.TestCase


def _key(page: int) -> bytes:
    return b'{"pk":{"S":"before %d"}}' % page


def _batch(segment: int, step: Step) -> Batch:
    return Batch(segment, step.page, [Raw(b"{}")] * ITEMS_OF_A_BATCH)


def _letter(segment: int, page: int, number: int) -> DeadLetter:
    return DeadLetter(
        table=0,
        segment=segment,
        page=page,
        key=b'{"pk":{"S":"%d-%d-%d"}}' % (segment, page, number),
        item=b"{}",
        error_code="ValidationException",
        error_message="no",
        time=0.0,
    )


def _of(record: SegmentRecord) -> Record:
    """In batches, as the model counts."""
    assert record.items_filtered == record.pages * FILTERED_OF_A_PAGE
    assert record.complete == (record.pages == PAGES)
    return Record(
        record.pages,
        record.items_written // ITEMS_OF_A_BATCH,
        record.items_rejected // ITEMS_OF_A_BATCH,
    )
