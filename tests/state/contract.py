"""What is true of every state store. A store's own tests subclass `StateStoreContract`."""

import time
from collections.abc import AsyncIterator
from typing import Protocol

import msgspec
import pytest
from msgspec.structs import replace

from dynaferry.observe.events import EventKind, RunEvent
from dynaferry.observe.segment_sums import SegmentTally
from dynaferry.plan.recorded import RecordedSettings, recorded_settings
from dynaferry.plan.schedule import Schedule, ScheduleEntry
from dynaferry.plan.settings import Account, CopyPlan, TablePlan
from dynaferry.state.records import (
    Controls,
    ControlsChange,
    DeadLetter,
    ProgressRecord,
    RunIdentity,
    Sample,
    SegmentRecord,
    TableControls,
    TableCounters,
    TableIdentity,
    TableTotals,
    ThrottleCount,
)
from dynaferry.state.store import StateStore
from tests.state.stored_letters import stored_letters

VERSION = "1.2.3"
CREATED_AT = 1_700_000_000.25
EXTERNAL_ID = "an-external-id-that-nobody-may-see"

PLAN = CopyPlan(
    tables=(TablePlan("orders", "orders"), TablePlan("users", "people")),
    source=Account(region="eu-west-1", profile="a-person-and-their-laptop"),
    target=Account(
        region="eu-central-1",
        role_arn="arn:aws:iam::222222222222:role/copy",
        external_id=EXTERNAL_ID,
    ),
    max_write_units=1234.5,
)
SETTINGS = recorded_settings(PLAN)


def table_identity(number: int = 0, *, total_segments: int = 64) -> TableIdentity:
    return TableIdentity(
        source_arn=f"arn:aws:dynamodb:eu-west-1:111111111111:table/source-{number}",
        source_table_id=f"source-id-{number}",
        source_endpoint="https://dynamodb.eu-west-1.amazonaws.com",
        target_arn=f"arn:aws:dynamodb:eu-central-1:222222222222:table/target-{number}",
        target_table_id=None,
        target_endpoint="https://dynamodb.eu-central-1.amazonaws.com",
        total_segments=total_segments,
    )


IDENTITY = RunIdentity(tables=(table_identity(0), table_identity(1)))


def segment_record(
    segment: int, pages: int = 3, *, complete: bool = False, rejected: int = 0
) -> SegmentRecord:
    """A record that adds up; a store that is opened again holds as many letters as `rejected`."""
    return SegmentRecord(
        segment=segment,
        pages=pages,
        last_evaluated_key=None if complete else b'{"pk":{"S":"%d-%d"}}' % (segment, pages),
        complete=complete,
        items_read=pages * 100,
        items_written=pages * 97 - rejected,
        items_rejected=rejected,
        items_filtered=pages * 3,
        bytes_read=pages * 1_000_000,
    )


def counters(scale: int = 1) -> TableCounters:
    return TableCounters(
        read_units=128.5 * scale,
        write_units=1000.25 * scale,
        throttled_requests=3 * scale,
        retried_requests=5 * scale,
        unprocessed_items=7 * scale,
        throttles=(ThrottleCount(operation="Scan", reason="", times=3 * scale),),
        bottleneck="index by-owner",
        throttled_at=CREATED_AT + scale,
    )


def dead_letter(
    key: str, *, table: int = 0, segment: int = 1, page: int = 0, message: str = "no"
) -> DeadLetter:
    wire_key = b'{"pk":{"S":"%s"}}' % key.encode()
    return DeadLetter(
        table=table,
        segment=segment,
        page=page,
        key=wire_key,
        item=wire_key[:-1] + b',"n":{"N":"12345678901234567890123456789012345678"}}',
        error_code="ValidationException",
        error_message=message,
        time=CREATED_AT,
    )


def sample(second: int, *, table: int = 0) -> Sample:
    return Sample(
        table=table,
        time=CREATED_AT + second,
        items_written=1000 * second,
        bytes_read=1_000_000 * second,
        read_units=0.5 * second,
        write_units=1.25 * second,
        throttled_requests=second,
    )


def progress_record(table: int, ratio: float) -> ProgressRecord:
    return ProgressRecord(
        table=table,
        time=CREATED_AT,
        items_done=10,
        expected_items=None if ratio > 0.3 else 100,
        progress_ratio=ratio,
        eta_seconds=None if ratio > 0.3 else 60.5,
    )


class OneRun(Protocol):
    """Begins one run, and opens it again after it was closed."""

    async def create(
        self, identity: RunIdentity = IDENTITY, settings: RecordedSettings = SETTINGS
    ) -> StateStore:
        """The run, begun and open."""
        ...

    async def reopen(self) -> StateStore:
        """The run that was begun and closed."""
        ...


class StateStoreContract:
    """Needs a fixture `store_factory` that gives a `OneRun`."""

    @pytest.fixture
    async def store(self, store_factory: OneRun) -> AsyncIterator[StateStore]:
        store = await store_factory.create()
        yield store
        await store.aclose()

    async def test_a_new_run_is_read_back_as_it_was_begun(self, store: StateStore) -> None:
        run = await store.read_run()
        assert run.identity == IDENTITY
        assert run.settings == SETTINGS
        assert run.version == VERSION
        assert (run.status, run.attempts) == ("running", 0)
        assert (run.created_at, run.started_at, run.ended_at) == (CREATED_AT, CREATED_AT, None)
        assert (run.error_type, run.error_message, run.error_hint) == (None, None, None)

    async def test_an_identity_with_any_unicode_comes_back_equal(
        self, store_factory: OneRun
    ) -> None:
        identity = RunIdentity(
            tables=(
                TableIdentity(
                    source_arn="arn:aws:dynamodb:eu-west-1:111111111111:table/a",
                    source_table_id="'; DROP TABLE run; --",
                    source_endpoint="https://bücher.example/",
                    target_arn="arn:aws:dynamodb:eu-west-1:222222222222:table/b",
                    target_table_id="\u0000\u2028\U0001f6a2",
                    target_endpoint="https://例え.example/",
                    total_segments=1_000_000,
                    filter='contains(#n, "ß\n")',
                ),
            )
        )
        store = await store_factory.create(identity=identity)
        assert (await store.read_run()).identity == identity
        await store.aclose()

    async def test_an_attempt_that_begins_is_counted_and_clears_how_the_last_one_ended(
        self, store: StateStore
    ) -> None:
        await store.begin_attempt("1.2.3", CREATED_AT + 1)
        await store.end_attempt("failed", CREATED_AT + 2, ("StoppedError", "it stopped", "go on"))
        await store.begin_attempt("1.2.4", CREATED_AT + 3)
        run = await store.read_run()
        assert (run.status, run.attempts, run.version) == ("running", 2, "1.2.4")
        assert (run.created_at, run.started_at) == (CREATED_AT, CREATED_AT + 3)
        assert (run.ended_at, run.error_type, run.error_message, run.error_hint) == (None,) * 4

    @pytest.mark.parametrize("status", ["complete", "rejected", "interrupted", "failed"])
    async def test_an_attempt_ends_with_its_status(self, store: StateStore, status: str) -> None:
        await store.begin_attempt(VERSION, CREATED_AT + 1)
        await store.end_attempt(status, CREATED_AT + 9)  # type: ignore[arg-type]
        run = await store.read_run()
        assert (run.status, run.ended_at, run.error_type) == (status, CREATED_AT + 9, None)

    async def test_an_attempt_ends_with_its_error(self, store: StateStore) -> None:
        await store.end_attempt("failed", CREATED_AT, ("AccessDeniedError", "may not ✗", "ask"))
        run = await store.read_run()
        assert (run.error_type, run.error_message, run.error_hint) == (
            "AccessDeniedError",
            "may not ✗",
            "ask",
        )
        await store.end_attempt("failed", CREATED_AT, ("GoneError", "gone", None))
        assert (await store.read_run()).error_hint is None

    async def test_segments_come_back_equal_and_in_the_order_of_their_numbers(
        self, store: StateStore
    ) -> None:
        records = [segment_record(40), segment_record(2, complete=True), segment_record(7, pages=1)]
        await store.checkpoint(0, records, counters())
        assert await store.read_segments(0) == [records[1], records[2], records[0]]
        assert await store.read_segments(1) == []

    async def test_a_key_of_any_bytes_comes_back_byte_for_byte(self, store: StateStore) -> None:
        key = bytes(range(256)) + b"\x00\xff\x00"
        record = SegmentRecord(
            segment=0,
            pages=1,
            last_evaluated_key=key,
            complete=False,
            items_read=0,
            items_written=0,
            items_rejected=0,
            items_filtered=0,
            bytes_read=2**62,
        )
        await store.checkpoint(0, [record], counters())
        assert await store.read_segments(0) == [record]

    async def test_an_empty_key_is_not_taken_for_none(self, store: StateStore) -> None:
        letter = dead_letter("x")
        bare = DeadLetter(
            table=letter.table,
            segment=letter.segment,
            page=letter.page,
            key=b"",
            item=b"\x00\xfe",
            error_code="",
            error_message="",
            time=0.0,
        )
        await store.add_dead_letters([bare])
        assert await stored_letters(store) == [bare]

    async def test_a_checkpoint_changes_only_the_segments_it_is_given(
        self, store: StateStore
    ) -> None:
        await store.checkpoint(0, [segment_record(1), segment_record(2)], counters())
        await store.checkpoint(1, [segment_record(1, pages=9)], counters())
        await store.checkpoint(0, [segment_record(2, pages=4), segment_record(3)], counters())
        assert await store.read_segments(0) == [
            segment_record(1),
            segment_record(2, pages=4),
            segment_record(3),
        ]
        assert await store.read_segments(1) == [segment_record(1, pages=9)]

    async def test_the_run_knows_when_any_of_its_tables_was_checkpointed_last(
        self, store: StateStore
    ) -> None:
        assert (await store.read_run()).checkpointed_at is None
        before = time.time()
        await store.checkpoint(1, [], counters())
        first = (await store.read_run()).checkpointed_at
        await store.checkpoint(0, [], counters())
        last = (await store.read_run()).checkpointed_at
        assert first is not None
        assert last is not None
        assert before <= first <= last <= time.time()

    async def test_totals_are_the_sums_of_the_segments(self, store: StateStore) -> None:
        assert await store.read_totals(0) == TableTotals()
        both = [segment_record(1, 3), segment_record(2, 5, rejected=10)]
        await store.checkpoint(0, both, counters())
        await store.checkpoint(0, [segment_record(1, 4, complete=True, rejected=8)], counters())
        await store.checkpoint(1, [segment_record(1, 50)], counters())
        assert await store.read_totals(0) == TableTotals(
            segments_complete=1,
            items_read=900,
            items_written=855,
            items_rejected=18,
            items_filtered=27,
            bytes_read=9_000_000,
        )

    async def test_the_sums_over_the_segments_are_those_that_a_tally_keeps(
        self, store: StateStore
    ) -> None:
        tally = SegmentTally()
        assert await store.read_segment_sums(0) == tally.sums()
        records = [
            segment_record(1, 3),
            segment_record(2, 50_000_000, complete=True),
            segment_record(3, 4_000_000, complete=True),
            segment_record(4, 7),
        ]
        for record in records:
            tally.note(record.segment, record.items_read, complete=record.complete)
        await store.checkpoint(0, records, counters())
        await store.checkpoint(1, [segment_record(1, 9)], counters())
        sums = await store.read_segment_sums(0)
        assert sums == msgspec.structs.replace(tally.sums(), squares=sums.squares)
        assert sums.squares == pytest.approx(tally.sums().squares)

    async def test_the_progress_that_was_shown_last_is_kept(self, store: StateStore) -> None:
        assert await store.read_progress() == []
        await store.keep_progress([progress_record(-1, 0.1), progress_record(1, 0.2)])
        await store.keep_progress([progress_record(-1, 0.3), progress_record(0, 0.4)])
        assert await store.read_progress() == [
            progress_record(-1, 0.3),
            progress_record(0, 0.4),
            progress_record(1, 0.2),
        ]

    async def test_counters_are_replaced_and_each_table_has_its_own(
        self, store: StateStore
    ) -> None:
        assert await store.read_counters(0) == TableCounters()
        await store.checkpoint(0, [], counters(1))
        await store.checkpoint(0, [segment_record(1)], counters(2))
        assert await store.read_counters(0) == counters(2)
        assert await store.read_counters(1) == TableCounters()

    async def test_a_checkpoint_of_a_table_that_the_run_has_not_stores_nothing(
        self, store: StateStore
    ) -> None:
        with pytest.raises(IndexError, match="no table 2"):
            await store.checkpoint(2, [], counters())
        await store.checkpoint(1, [segment_record(1)], counters())
        assert await store.read_counters(1) == counters()

    async def test_dead_letters_come_back_by_table_segment_and_page(
        self, store: StateStore
    ) -> None:
        letters = [
            dead_letter("a", table=1, segment=0, page=0),
            dead_letter("b", table=0, segment=5, page=2),
            dead_letter("c", table=0, segment=5, page=1),
            dead_letter("d", table=0, segment=4, page=9),
        ]
        await store.add_dead_letters(letters)
        assert await stored_letters(store) == [letters[3], letters[2], letters[1], letters[0]]
        assert await stored_letters(store, 1) == [letters[0]]
        assert await stored_letters(store, 0) == [letters[3], letters[2], letters[1]]

    async def test_the_same_item_is_a_dead_letter_once_and_the_later_reason_stands(
        self, store: StateStore
    ) -> None:
        await store.add_dead_letters([dead_letter("a", page=1, message="first")])
        again = dead_letter("a", page=2, message="second")
        other = dead_letter("a", segment=2)
        await store.add_dead_letters([again, other])
        assert await stored_letters(store) == [again, other]

    async def test_an_attempt_drops_the_dead_letters_of_pages_that_are_read_again(
        self, store: StateStore
    ) -> None:
        await store.checkpoint(0, [segment_record(1, pages=3)], counters())
        await store.checkpoint(1, [segment_record(2, pages=1, complete=True)], counters())
        kept = [
            dead_letter("acknowledged", segment=1, page=2),
            dead_letter("complete", table=1, segment=2, page=0),
        ]
        beyond = [
            dead_letter("at the watermark", segment=1, page=3),
            dead_letter("behind it", segment=1, page=4),
            dead_letter("no record", segment=2, page=0),
            dead_letter("no record, other table", table=1, segment=1, page=0),
        ]
        await store.add_dead_letters(kept + beyond)
        assert len(await stored_letters(store)) == 6
        await store.begin_attempt(VERSION, CREATED_AT + 1)
        assert await stored_letters(store) == kept

    async def test_counted_dead_letters_come_in_pages_and_without_those_beyond_the_watermark(
        self, store: StateStore
    ) -> None:
        await store.checkpoint(0, [segment_record(1, pages=2), segment_record(2)], counters())
        await store.checkpoint(1, [segment_record(1)], counters())
        counted = [dead_letter(f"k{n}", segment=1 + n // 3, page=1) for n in range(6)]
        await store.add_dead_letters(
            [
                *counted,
                dead_letter("beyond", segment=1, page=2),
                dead_letter("no record", segment=3),
                dead_letter("other", table=1),
            ]
        )
        pages = []
        after = None
        while page := await store.read_counted_dead_letters(0, after, 4):
            pages.append(page)
            after = page[-1]
        assert pages == [counted[:4], counted[4:]]
        assert await store.read_counted_dead_letters(1, None, 9) == [dead_letter("other", table=1)]

    async def test_a_letter_that_was_written_is_counted_so_once_and_is_gone(
        self, store: StateStore
    ) -> None:
        records = [segment_record(1, rejected=2), segment_record(2, rejected=1)]
        await store.checkpoint(0, records, counters())
        letters = [dead_letter("a"), dead_letter("b"), dead_letter("c", segment=2)]
        await store.add_dead_letters(letters)
        before = await store.read_totals(0)
        for _ in range(2):
            await store.settle_dead_letters(
                0, written=[letters[0], letters[2]], refused=[], counters=counters(2)
            )
        after = await store.read_totals(0)
        assert await stored_letters(store) == [letters[1]]
        assert after.items_rejected == before.items_rejected - 2
        assert after.items_written == before.items_written + 2
        assert [r.items_rejected for r in await store.read_segments(0)] == [
            record.items_rejected - 1 for record in records
        ]

    async def test_a_letter_that_is_refused_again_keeps_its_item_and_has_the_new_reason(
        self, store: StateStore
    ) -> None:
        await store.checkpoint(0, [segment_record(1)], counters())
        await store.add_dead_letters([dead_letter("a", message="old"), dead_letter("b")])
        before = await store.read_totals(0)
        refused = dead_letter("a", message="new")
        await store.settle_dead_letters(0, written=[], refused=[refused], counters=counters())
        assert await stored_letters(store) == [refused, dead_letter("b")]
        assert await store.read_totals(0) == before

    async def test_settling_stores_what_writing_cost_and_nothing_of_reading(
        self, store: StateStore
    ) -> None:
        await store.checkpoint(0, [segment_record(1)], counters(1))
        await store.settle_dead_letters(0, written=[], refused=[], counters=counters(2))
        stored = await store.read_counters(0)
        assert stored.write_units == counters(2).write_units
        assert stored.throttled_requests == counters(2).throttled_requests
        assert stored.retried_requests == counters(2).retried_requests
        assert stored.read_units == counters(1).read_units

    async def test_a_rejected_run_is_complete_with_its_last_letter_and_not_before(
        self, store: StateStore
    ) -> None:
        await store.checkpoint(0, [segment_record(1)], counters())
        await store.add_dead_letters([dead_letter("a"), dead_letter("b", table=1)])
        await store.end_attempt("rejected", CREATED_AT + 1)
        await store.settle_dead_letters(
            0, written=[dead_letter("a")], refused=[], counters=counters()
        )
        assert (await store.read_run()).status == "rejected"
        await store.settle_dead_letters(
            1, written=[dead_letter("b", table=1)], refused=[], counters=counters()
        )
        assert (await store.read_run()).status == "complete"

    async def test_an_unfinished_run_stays_so_when_its_last_letter_is_written(
        self, store: StateStore
    ) -> None:
        await store.checkpoint(0, [segment_record(1)], counters())
        await store.add_dead_letters([dead_letter("a")])
        await store.end_attempt("failed", CREATED_AT + 1)
        await store.settle_dead_letters(
            0, written=[dead_letter("a")], refused=[], counters=counters()
        )
        assert (await store.read_run()).status == "failed"

    async def test_a_new_run_is_asked_nothing(self, store: StateStore) -> None:
        assert await store.read_controls() == Controls()

    async def test_what_is_asked_of_a_run_is_kept_beside_what_was_asked_before(
        self, store: StateStore
    ) -> None:
        await store.change_controls(ControlsChange(paused=True, max_read_units="none"), 5.0)
        asked = await store.change_controls(ControlsChange(max_write_units=500.5), 6.0)
        assert asked == await store.read_controls()
        assert asked == Controls(
            paused_at=5.0, max_read_units="none", max_write_units=500.5, changed_at=6.0
        )

    async def test_what_is_asked_of_a_table_is_kept_beside_what_is_asked_of_its_run(
        self, store: StateStore
    ) -> None:
        await store.change_controls(ControlsChange(max_write_units=500.0), 5.0)
        await store.change_controls(ControlsChange(paused=True, table="orders"), 6.0)
        change = ControlsChange(max_read_units=7.5, max_write_units="none", table="orders")
        await store.change_controls(change, 7.0)
        asked = await store.change_controls(ControlsChange(paused=True, table="users"), 8.0)
        assert asked == await store.read_controls()
        orders = TableControls(
            paused_at=6.0, max_read_units=7.5, max_write_units="none", changed_at=7.0
        )
        users = TableControls(paused_at=8.0, changed_at=8.0)
        assert asked == Controls(
            max_write_units=500.0, changed_at=5.0, tables={"orders": orders, "users": users}
        )
        events = [(event.kind, event.source) for event in await store.read_events()]
        of_orders = [("paused", "orders"), ("set", "orders")]
        assert events == [("set", None), *of_orders, ("paused", "users")]

    async def test_what_was_asked_survives_the_end_of_an_attempt_and_a_new_one(
        self, store_factory: OneRun
    ) -> None:
        store = await store_factory.create()
        asked = await store.change_controls(ControlsChange(paused=True, max_write_units=5.0), 5.0)
        await store.end_attempt("interrupted", 6.0)
        await store.aclose()
        store = await store_factory.reopen()
        await store.begin_attempt(VERSION, 7.0)
        assert await store.read_controls() == asked
        await store.aclose()

    async def test_the_settings_of_an_attempt_take_the_place_of_the_earlier_ones(
        self, store: StateStore
    ) -> None:
        settings = recorded_settings(
            replace(
                PLAN,
                max_write_units=7.0,
                limits=Schedule(
                    schedule=(ScheduleEntry(hours="22:00-06:00", max_read_units="none"),)
                ),
            )
        )
        await store.keep_tables(IDENTITY, settings)
        assert (await store.read_run()).settings == settings

    async def test_a_table_joins_a_run_behind_those_that_are_there(
        self, store_factory: OneRun
    ) -> None:
        store = await store_factory.create()
        await store.checkpoint(0, [segment_record(1)], counters())
        more = RunIdentity(tables=(*IDENTITY.tables, table_identity(2)))
        plan = replace(PLAN, tables=(*PLAN.tables, TablePlan("carts", "carts")))
        await store.keep_tables(more, recorded_settings(plan))
        await store.checkpoint(2, [segment_record(5)], counters(2))
        await store.aclose()
        store = await store_factory.reopen()
        assert (await store.read_run()).identity == more
        assert await store.read_segments(0) == [segment_record(1)]
        assert (await store.read_counters(0), await store.read_counters(2)) == (
            counters(),
            counters(2),
        )
        await store.aclose()

    async def test_what_was_stored_of_a_table_is_forgotten_and_nothing_else(
        self, store_factory: OneRun
    ) -> None:
        store = await store_factory.create()
        await store.begin_attempt(VERSION, CREATED_AT)
        for table in (0, 1):
            await store.begin_table(table, CREATED_AT)
            await store.add_dead_letters([dead_letter("a", table=table)])
            await store.checkpoint(table, [segment_record(1, rejected=1)], counters())
            await store.add_sample(sample(1, table=table))
        anew = RunIdentity(tables=(IDENTITY.tables[0], table_identity(1, total_segments=8)))
        await store.keep_tables(anew, SETTINGS, [1])
        await store.aclose()
        store = await store_factory.reopen()
        assert (await store.read_run()).identity == anew
        assert await store.read_segments(1) == []
        assert await store.read_samples(1, 9) == []
        assert await store.read_counters(1) == TableCounters()
        assert await store.count_dead_letters(1, 9) == []
        assert [each.table for each in await store.read_table_attempts()] == [0]
        assert await store.read_segments(0) == [segment_record(1, rejected=1)]
        assert await store.read_samples(0, 9) == [sample(1)]
        assert len(await store.count_dead_letters(0, 9)) == 1
        await store.aclose()

    async def test_the_latest_samples_come_back_oldest_first(self, store: StateStore) -> None:
        for second in range(5):
            await store.add_sample(sample(second))
            await store.add_sample(sample(second, table=1))
        assert await store.read_samples(0, 3) == [sample(2), sample(3), sample(4)]
        assert await store.read_samples(1, 99) == [sample(second, table=1) for second in range(5)]

    async def test_everything_survives_closing_and_opening_again(
        self, store_factory: OneRun
    ) -> None:
        store = await store_factory.create()
        await store.begin_attempt("2.0", CREATED_AT + 1)
        await store.checkpoint(0, [segment_record(1, rejected=1)], counters())
        await store.add_dead_letters([dead_letter("a")])
        await store.add_sample(sample(1))
        await store.end_attempt("interrupted", CREATED_AT + 2)
        run = await store.read_run()
        await store.aclose()

        again = await store_factory.reopen()
        assert await again.read_run() == run
        assert await again.read_segments(0) == [segment_record(1, rejected=1)]
        assert await again.read_counters(0) == counters()
        assert await stored_letters(again) == [dead_letter("a")]
        assert await again.read_samples(0, 9) == [sample(1)]
        await again.aclose()

    async def test_closing_a_second_time_does_nothing(self, store_factory: OneRun) -> None:
        store = await store_factory.create()
        await store.aclose()
        await store.aclose()
        again = await store_factory.reopen()
        assert (await again.read_run()).attempts == 0
        await again.aclose()

    # Attempts ------------------------------------------------------------------------------------

    async def test_every_attempt_is_remembered_with_how_it_ended(
        self, store_factory: OneRun
    ) -> None:
        store = await store_factory.create()
        assert await store.read_attempts() == []
        await store.begin_attempt("1.0", CREATED_AT)
        await store.end_attempt("failed", CREATED_AT + 5, ("ServiceGoneError", "gone", "again"))
        await store.begin_attempt("1.1", CREATED_AT + 9)
        await store.aclose()
        store = await store_factory.reopen()
        await store.begin_attempt("1.2", CREATED_AT + 20)
        await store.end_attempt("complete", CREATED_AT + 30)
        attempts = await store.read_attempts()
        await store.aclose()
        assert [(a.attempt, a.version, a.status) for a in attempts] == [
            (1, "1.0", "failed"),
            (2, "1.1", "running"),
            (3, "1.2", "complete"),
        ]
        assert [a.started_at - CREATED_AT for a in attempts] == [0, 9, 20]
        assert [a.ended_at for a in attempts] == [CREATED_AT + 5, None, CREATED_AT + 30]
        assert [a.error_message for a in attempts] == ["gone", None, None]

    async def test_each_table_of_an_attempt_ends_by_itself(self, store_factory: OneRun) -> None:
        store = await store_factory.create()
        assert await store.read_table_attempts() == []
        await store.begin_attempt(VERSION, CREATED_AT)
        await store.begin_table(0, CREATED_AT + 1)
        await store.begin_table(1, CREATED_AT + 2)
        error = ("AccessDeniedError", "may not write", "ask the admin")
        await store.end_table(1, "failed", CREATED_AT + 5, error)
        first, second = await store.read_table_attempts()
        assert (first.attempt, first.table, first.status, first.ended_at) == (1, 0, "running", None)
        assert first.started_at == CREATED_AT + 1
        assert (second.table, second.status, second.ended_at) == (1, "failed", CREATED_AT + 5)
        assert (second.error_type, second.error_message, second.error_hint) == error
        await store.end_table(0, "complete", CREATED_AT + 6)
        await store.end_attempt("failed", CREATED_AT + 7, error)
        await store.begin_attempt(VERSION, CREATED_AT + 8)
        await store.begin_table(1, CREATED_AT + 9)
        await store.aclose()
        store = await store_factory.reopen()
        attempts = await store.read_table_attempts()
        await store.aclose()
        assert [(a.attempt, a.table, a.status) for a in attempts] == [
            (1, 0, "complete"),
            (1, 1, "failed"),
            (2, 1, "running"),
        ]

    async def test_a_table_without_an_end_ends_with_its_attempt(self, store: StateStore) -> None:
        await store.begin_attempt(VERSION, CREATED_AT)
        await store.begin_table(0, CREATED_AT + 1)
        await store.end_attempt("interrupted", CREATED_AT + 4)
        (only,) = await store.read_table_attempts()
        assert (only.status, only.ended_at, only.error_type) == (
            "interrupted",
            CREATED_AT + 4,
            None,
        )

    async def test_a_table_of_a_killed_attempt_lived_until_its_last_checkpoint(
        self, store: StateStore
    ) -> None:
        await store.begin_attempt(VERSION, CREATED_AT)
        for table in (0, 1):
            await store.begin_table(table, CREATED_AT + 1)
        await store.checkpoint(0, [segment_record(1)], counters())
        before = await store.read_table_attempts()
        await store.begin_attempt(VERSION, CREATED_AT + 9)
        first, second = await store.read_table_attempts()
        assert [each.ended_at for each in before] == [None, None]
        assert (first.status, second.status) == ("interrupted", "interrupted")
        assert first.ended_at is not None
        assert first.ended_at > first.started_at
        assert second.ended_at == second.started_at

    async def test_reasons_of_dead_letters_are_counted_the_most_frequent_first(
        self, store_factory: OneRun
    ) -> None:
        store = await store_factory.create()
        letters = [dead_letter(f"a{n}", message="too large") for n in range(3)]
        letters += [dead_letter("b", message="wrong type")]
        letters += [dead_letter("c", message="wrong type", table=1)]
        await store.add_dead_letters(letters)
        counts = await store.count_dead_letters(0, 10)
        most_frequent = await store.count_dead_letters(0, 1)
        await store.aclose()
        assert [(c.error_message, c.items) for c in counts] == [("too large", 3), ("wrong type", 1)]
        assert most_frequent == counts[:1]

    async def test_a_sample_keeps_the_limits_that_were_effective(
        self, store_factory: OneRun
    ) -> None:
        store = await store_factory.create()
        limited = msgspec.structs.replace(sample(1), read_limit_units=None, write_limit_units=99.5)
        await store.add_sample(limited)
        assert await store.read_samples(0, 10) == [limited]
        await store.aclose()

    async def test_events_come_back_by_their_time_with_those_of_the_attempts(
        self, store: StateStore
    ) -> None:
        await store.begin_attempt(VERSION, CREATED_AT)
        late = an_event("limits", 30, paused=True, write_cap_units=600.0)
        early = an_event("throttled", 20, source="orders", detail="index by-owner")
        await store.add_events([late, early])
        await store.end_attempt("failed", CREATED_AT + 40, ("StoppedError", "it is gone", None))
        await store.begin_attempt(VERSION, CREATED_AT + 50)
        assert await store.read_events() == [
            an_event("started", 0),
            early,
            late,
            an_event("ended", 40, detail="failed: it is gone"),
            an_event("started", 50, detail="attempt 2"),
        ]

    async def test_what_is_asked_of_a_run_is_an_event_with_who_asked(
        self, store: StateStore
    ) -> None:
        await store.change_controls(ControlsChange(paused=True), CREATED_AT + 1, "ann")
        await store.change_controls(ControlsChange(paused=True), CREATED_AT + 2, "bob")
        cap = ControlsChange(max_write_units=600.0, max_read_units="none")
        await store.change_controls(cap, CREATED_AT + 3, "the live page")
        await store.change_controls(cap, CREATED_AT + 4, "the live page")
        await store.change_controls(ControlsChange(paused=False), CREATED_AT + 5)
        caps = "writes at most 600 units/s, reads without a limit"
        assert await store.read_events() == [
            an_event("paused", 1, by="ann"),
            an_event("set", 3, by="the live page", detail=caps),
            an_event("resumed", 5),
        ]


def an_event(kind: EventKind, second: float, **other: object) -> RunEvent:
    """An event so many seconds after the run was begun."""
    return RunEvent(time=CREATED_AT + second, kind=kind, **other)  # type: ignore[arg-type]
