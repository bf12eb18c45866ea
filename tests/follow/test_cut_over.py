"""A go needs everything in one look: step by step, then whatever is seen, in whatever order."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from dynaferry.follow.cut_over import (
    CloseStreams,
    ComparedKeys,
    CompareNow,
    CutOverDecision,
    CutOverProgress,
    CutOverRequest,
    Go,
    HoldWrites,
    KeepWaiting,
    NotReady,
    TableLook,
    after_closing,
    after_comparison,
    decide,
    keeps_writes_held,
)
from dynaferry.follow.quiet import LEAST_SECONDS, Quiet
from dynaferry.follow.readiness import Reason, WayBack
from dynaferry.preflight.replication_words import REPLICATION_SECONDS
from dynaferry.state.facts_file import ClosedProof

NOW = 1_800_000_000.0
REQUEST = CutOverRequest(begun_at=NOW - 30.0, stopped_at=NOW - 8.0)
QUIET = Quiet(True, (), 0.0, NOW - 6.0)
UNQUIET = Quiet(False, ("5.0 s without a change: 2.0 s by now",), 3.0, NOW - 2.0)
LOOK = TableLook(
    table="orders",
    quiet=QUIET,
    captured=900,
    last_change_at=NOW - 6.0,
    is_held=True,
    way_back=WayBack(quiet_seconds=3.0),
)
COMPARED = CutOverProgress(compared=ComparedKeys((900,), 412, 0))
LAG = Reason("lag", "the target is 11 s behind")
GAP = Reason("open gap", "records were lost")


def seen(*looks: TableLook, progress: CutOverProgress = COMPARED, **asked: Any) -> CutOverDecision:
    return decide(replace(REQUEST, **asked), progress, looks, NOW)


def test_with_everything_true_in_one_look_it_goes_and_says_what_it_shows_and_what_not() -> None:
    go = seen(LOOK)
    assert isinstance(go, Go)
    assert go.seconds == 6.0
    assert go.shown == (
        "no record came for 6.0 s, on any shard",
        "the keys that changed last are equal on both sides (412 compared)",
    )
    assert any("still withholds" in told for told in go.not_shown)
    assert any("behind the go" in told for told in go.not_shown)


@pytest.mark.parametrize(
    ("change", "step"),
    [
        ({"last_change_at": NOW - 0.4, "changes_per_second": 120.0}, "writers"),
        ({"quiet": UNQUIET}, "quiet"),
        ({"reasons": (LAG,)}, "quiet"),
        ({"doubts": 2, "doubts_due_at": NOW + 41.0}, "doubts"),
        ({"way_back": WayBack(quiet_seconds=1.5)}, "way back"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_each_thing_that_is_not_so_yet_is_waited_for_and_writes_go_on(
    change: dict[str, Any], step: str
) -> None:
    decision = seen(replace(LOOK, **change))
    assert isinstance(decision, KeepWaiting)
    assert decision.step == step
    assert not keeps_writes_held(decision)


@pytest.mark.parametrize("quiet", [QUIET, UNQUIET])
@pytest.mark.parametrize(("age", "is_told"), [(0.3, True), (59.0, True), (61.0, False)])
def test_that_items_expire_is_told_as_no_stopped_writer_ends_that(
    quiet: Quiet, age: float, is_told: bool
) -> None:
    changed_at = NOW - 0.4 if quiet is QUIET else NOW - 6.0
    look = replace(LOOK, quiet=quiet, last_change_at=changed_at, last_expiry_at=NOW - age)
    decision = seen(replace(LOOK), look)
    assert isinstance(decision, KeepWaiting)
    assert decision.step == ("writers" if quiet is QUIET else "quiet")
    assert ("time to live deletes items there, too" in decision.told) == is_told
    timed_out = seen(look, timeout_seconds=10.0)
    assert isinstance(timed_out, NotReady)
    assert ("time to live" in timed_out.reasons[0]) == is_told


def test_the_writers_are_told_to_stop_with_the_rate_and_the_age_of_the_last_change() -> None:
    writing = replace(LOOK, last_change_at=NOW - 0.4, changes_per_second=1203.0)
    decision = seen(writing, replace(LOOK, changes_per_second=7.0))
    assert isinstance(decision, KeepWaiting)
    assert decision.told == "stop the writers now: 1,210 changes/s, the last 0.4 s ago"


def test_young_doubts_are_waited_for_with_their_seconds_and_old_ones_until_they_are_read() -> None:
    young = seen(replace(LOOK, doubts=3, doubts_due_at=NOW + 41.0))
    assert isinstance(young, KeepWaiting)
    assert young.seconds == 41.0
    assert "of 3 writes" in young.told
    assert "in 41 s" in young.told
    old = seen(replace(LOOK, doubts=3, doubts_due_at=NOW - 1.0))
    assert isinstance(old, KeepWaiting)
    assert old.told.endswith("they are read again")


def test_silence_from_before_the_writers_stopped_does_not_count() -> None:
    waits = seen(LOOK, stopped_at=NOW - 5.5)
    assert isinstance(waits, KeepWaiting)
    assert waits.step == "quiet"
    assert isinstance(seen(LOOK, stopped_at=NOW - 6.0), Go)


def test_writes_are_held_last_and_what_is_held_is_looked_at_once_more() -> None:
    held = seen(replace(LOOK, is_held=False))
    assert isinstance(held, HoldWrites)
    assert keeps_writes_held(held)
    late = seen(replace(LOOK, quiet=UNQUIET, captured=901))
    assert not keeps_writes_held(late)


REPLICA = replace(LOOK, late_regions=("eu-west-1",))


def test_a_global_table_is_quiet_for_as_long_as_other_regions_may_replicate() -> None:
    waits = seen(LOOK, REPLICA)
    assert isinstance(waits, KeepWaiting)
    assert waits.step == "replication"
    assert waits.told == "orders: waits 9 s more for what eu-west-1 may replicate yet"
    assert waits.seconds == REPLICATION_SECONDS - 6.0
    assert not keeps_writes_held(waits)
    silent = replace(REPLICA, quiet=replace(QUIET, since=NOW - REPLICATION_SECONDS))
    go = seen(silent, stopped_at=NOW - 20.0)
    assert isinstance(go, Go)
    assert any("a write in eu-west-1 that is not replicated yet" in told for told in go.not_shown)
    assert not any("replicated" in told for told in _go_of(LOOK).not_shown)


def test_a_change_from_another_region_has_the_wait_begin_anew() -> None:
    came = replace(REPLICA, quiet=replace(QUIET, since=NOW - 14.9), captured=901)
    waits = seen(came, stopped_at=NOW - 20.0)
    assert isinstance(waits, KeepWaiting)
    assert waits.step == "replication"


def test_of_a_global_target_the_other_regions_are_not_said_to_have_everything() -> None:
    go = _go_of(replace(LOOK, target_regions=("eu-west-1",)))
    assert go.not_shown[-1].startswith("that eu-west-1 have everything too")


def _go_of(look: TableLook) -> Go:
    go = seen(look)
    assert isinstance(go, Go)
    return go


def test_a_change_since_the_comparison_has_it_done_again() -> None:
    assert seen(LOOK, progress=CutOverProgress()) == CompareNow("recent")
    assert seen(replace(LOOK, captured=901)) == CompareNow("recent")
    assert seen(LOOK, progress=CutOverProgress(), verify="full") == CompareNow("full")
    assert isinstance(seen(LOOK, progress=CutOverProgress(), verify="none"), Go)


def test_a_difference_begins_at_quiet_again_and_a_second_one_ends_it() -> None:
    once = after_comparison(CutOverProgress(), ComparedKeys((900,), 412, 1), NOW - 1.0)
    waits = seen(LOOK, progress=once)
    assert isinstance(waits, KeepWaiting)
    assert (waits.step, waits.seconds) == ("quiet", LEAST_SECONDS - 1.0)
    later = replace(once, differed_at=NOW - LEAST_SECONDS)
    assert seen(LOOK, progress=later) == CompareNow("recent")
    healed = after_comparison(later, ComparedKeys((900,), 412, 0), NOW)
    assert isinstance(seen(LOOK, progress=healed), Go)
    twice = after_comparison(later, ComparedKeys((900,), 412, 1), NOW)
    ended = seen(LOOK, progress=twice)
    assert isinstance(ended, NotReady)
    assert "twice" in ended.reasons[0]


def test_what_lasts_ends_it_at_once_and_what_passes_does_not() -> None:
    assert seen(replace(LOOK, reasons=(GAP, LAG))) == NotReady(("records were lost",))
    assert isinstance(seen(replace(LOOK, reasons=(LAG,))), KeepWaiting)


def test_the_time_that_was_given_never_goes_and_tells_what_was_waited_for() -> None:
    assert seen(LOOK, timeout_seconds=30.0) == NotReady(("30 s are over",))
    late = seen(replace(LOOK, quiet=UNQUIET), timeout_seconds=30.0)
    assert isinstance(late, NotReady)
    assert late.reasons == ("30 s are over: waits for 5.0 s without a change: 2.0 s by now",)


def test_tables_of_a_plan_go_together_and_the_one_that_holds_them_up_is_named() -> None:
    progress = CutOverProgress(compared=ComparedKeys((900, 900), 412, 0))
    other = replace(LOOK, table="events")
    assert isinstance(seen(LOOK, other, progress=progress), Go)
    decision = seen(LOOK, replace(other, quiet=UNQUIET), progress=progress)
    assert isinstance(decision, KeepWaiting)
    assert decision.told.startswith("events: ")
    ended = seen(LOOK, replace(other, reasons=(GAP,)), progress=progress)
    assert ended == NotReady(("events: records were lost",))


def test_a_proof_has_the_streams_closed_behind_quiet_and_waits_until_they_are_read() -> None:
    assert seen(replace(LOOK, quiet=UNQUIET), proof="closed") == seen(replace(LOOK, quiet=UNQUIET))
    assert seen(LOOK, proof="closed") == CloseStreams()
    closing = after_closing(COMPARED, ClosedProof(False, "not measured"))
    waits = seen(LOOK, progress=closing, proof="closed")
    assert isinstance(waits, KeepWaiting)
    assert waits.step == "stream"
    go = seen(replace(LOOK, is_drained=True), progress=closing, proof="closed")
    assert isinstance(go, Go)
    assert "read to its end" in go.shown[0]
    assert "not measured" in go.not_shown[0]
    assert "leaves no record" in go.not_shown[1]
    assert "drained" in go.not_proven
    measured = after_closing(COMPARED, ClosedProof(True, "measured"))
    go = seen(replace(LOOK, is_drained=True), progress=measured, proof="closed")
    assert isinstance(go, Go)
    assert go.proven == ("drained", "recent keys equal")
    assert go.not_proven == ("all keys equal", "no later writes")


def test_a_stream_that_is_being_closed_is_not_waited_for_as_one_that_is_read() -> None:
    closing = after_closing(COMPARED, ClosedProof(False, "not measured"))
    waits = seen(replace(LOOK, quiet=UNQUIET), progress=closing, proof="closed")
    assert isinstance(waits, KeepWaiting)
    assert waits.step == "stream"


LOOKS = st.builds(
    TableLook,
    table=st.sampled_from(["orders", "events"]),
    quiet=st.sampled_from([QUIET, QUIET, QUIET, UNQUIET]),
    captured=st.sampled_from([900, 900, 901]),
    last_change_at=st.sampled_from([None, NOW - 6.0, NOW - 6.0, NOW - 0.5]),
    doubts=st.sampled_from([0, 0, 0, 1]),
    doubts_due_at=st.sampled_from([None, NOW - 1.0, NOW + 9.0]),
    is_drained=st.booleans(),
    is_held=st.sampled_from([True, True, False]),
    reasons=st.sampled_from([(), (), (), (LAG,), (GAP,)]),
    way_back=st.sampled_from([None, WayBack(quiet_seconds=9.0), WayBack(quiet_seconds=1.0)]),
    late_regions=st.sampled_from([(), (), (), ("eu-west-1",)]),
)


@given(
    looks=st.lists(LOOKS, min_size=1, max_size=2),
    compared=st.sampled_from([None, (900,), (900,), (900, 900), (900, 900)]),
    rounds=st.sampled_from([0, 0, 1, 2]),
    differed=st.sampled_from([None, NOW - 1.0, NOW - 9.0]),
    is_closing=st.booleans(),
    stopped=st.sampled_from([NOW - 9.0, NOW - 9.0, NOW - 6.0, NOW - 5.5]),
    timeout=st.sampled_from([10.0, 30.0, 31.0, 120.0, 120.0]),
    proof=st.sampled_from(["observed", "observed", "closed"]),
    verify=st.sampled_from(["recent", "full", "none"]),
)
@settings(max_examples=600)
def test_there_is_a_go_exactly_where_all_conditions_hold_together(
    looks: list[TableLook],
    compared: tuple[int, ...] | None,
    rounds: int,
    differed: float | None,
    is_closing: bool,
    timeout: float,
    stopped: float,
    proof: Any,
    verify: Any,
) -> None:
    progress = CutOverProgress(
        compared=None if compared is None else ComparedKeys(compared, 5, 0),
        rounds_that_differed=rounds,
        differed_at=differed,
        closed=ClosedProof(False, "not measured") if is_closing else None,
    )
    request = CutOverRequest(
        begun_at=NOW - 30.0, stopped_at=stopped, timeout_seconds=timeout, proof=proof, verify=verify
    )
    decision = decide(request, progress, looks, NOW)
    holds = (
        all(look.quiet.holds and look.is_held and not look.doubts for look in looks)
        and all(not look.reasons for look in looks)
        and all(look.last_change_at in (None, NOW - 6.0) for look in looks)
        and all(look.way_back is None or look.way_back.quiet_seconds == 9.0 for look in looks)
        and (proof == "observed" or all(look.is_drained for look in looks))
        # Nothing has come for 6 s, and another Region is waited for for longer.
        and not any(look.late_regions for look in looks)
        and (verify == "none" or compared == tuple(look.captured for look in looks))
        and rounds < 2
        and differed != NOW - 1.0
        and stopped <= NOW - 6.0
        and timeout > 30.0
    )
    assert isinstance(decision, Go) == holds
    if timeout <= 30.0:
        assert isinstance(decision, NotReady)


class Switches(RuleBasedStateMachine):
    """A running move that does what is decided, while records come, doubts arise and it is killed.

    Its quiet, comparison and holding are those of a small world: what it says of itself is true.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.request = CutOverRequest(begun_at=NOW, stopped_at=NOW, timeout_seconds=60.0)
        self.progress = CutOverProgress()
        self.record_at = NOW
        self.captured = 0
        self.waiting = 0
        self.in_flight = 0
        self.doubts: list[float] = []
        self.is_held = False
        self.differs = False
        self.outcome: Go | NotReady | None = None

    def look(self) -> TableLook:
        left = self.record_at + LEAST_SECONDS - self.now
        spooled = self.waiting + self.in_flight
        quiet = Quiet(left <= 0 and not spooled, ("that",), max(0.0, left), self.record_at)
        return TableLook(
            table="orders",
            quiet=quiet,
            captured=self.captured,
            last_change_at=self.record_at,
            doubts=len(self.doubts),
            doubts_due_at=max(self.doubts, default=None),
            is_held=self.is_held and not self.in_flight,
        )

    @rule(seconds=st.sampled_from([0.5, 3.0, 6.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    @precondition(lambda self: self.outcome is None)
    def a_record_comes(self) -> None:
        self.record_at = self.now
        self.captured += 1
        self.waiting += 1

    @rule()
    @precondition(lambda self: self.waiting and not self.is_held)
    def one_is_sent(self) -> None:
        self.waiting -= 1
        self.in_flight += 1

    @rule(is_lost=st.booleans())
    @precondition(lambda self: self.in_flight)
    def one_is_answered(self, is_lost: bool) -> None:
        self.in_flight -= 1
        if is_lost:
            self.doubts.append(self.now + 15.0)

    @rule()
    @precondition(lambda self: any(due <= self.now for due in self.doubts) and not self.is_held)
    def doubts_are_read_again(self) -> None:
        self.doubts = [due for due in self.doubts if due > self.now]

    @rule(differs=st.booleans())
    def somebody_writes_to_the_target(self, differs: bool) -> None:
        self.differs = differs

    @rule()
    @precondition(lambda self: self.outcome is None)
    def the_process_is_killed(self) -> None:
        """What it knew is gone: nothing was switched, and somebody asks anew."""
        self.request = replace(self.request, begun_at=self.now, stopped_at=self.now)
        self.record_at = self.now  # silence is counted anew
        self.progress, self.is_held = CutOverProgress(), False

    @rule()
    @precondition(lambda self: self.outcome is None)
    def it_is_decided(self) -> None:
        decision = decide(self.request, self.progress, [self.look()], self.now)
        self.is_held = keeps_writes_held(decision)
        if isinstance(decision, CompareNow):
            # What waits here would differ without anybody's fault: it is compared when quiet.
            assert self.look().quiet.holds
            compared = ComparedKeys((self.captured,), 1, int(self.differs))
            self.progress = after_comparison(self.progress, compared, self.now)
        elif isinstance(decision, Go):
            assert self.now - self.record_at >= LEAST_SECONDS
            assert self.now - self.request.begun_at < self.request.timeout_seconds
            assert (self.waiting, self.in_flight, self.doubts) == (0, 0, [])
            compared_then = self.progress.compared
            assert compared_then is not None
            assert compared_then.captured == (self.captured,)
            self.outcome = decision
        elif isinstance(decision, NotReady):
            self.outcome = decision

    @invariant()
    def nothing_is_sent_once_it_has_gone(self) -> None:
        if isinstance(self.outcome, Go):
            assert self.is_held
            assert not self.in_flight


TestSwitches = Switches.TestCase
TestSwitches.settings = settings(max_examples=150, stateful_step_count=40)
