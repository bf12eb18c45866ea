"""Whether finer key ranges let more through is tried, kept or taken back."""

from itertools import pairwise

from dynaferry.throttle.finer_trial import (
    GAIN,
    LEAST_SEGMENTS_PER_RANGE,
    LONGEST_SECONDS,
    TRIAL_SECONDS,
    FinerTrial,
    TrialVerdict,
)

MANY = LEAST_SEGMENTS_PER_RANGE * 4


def test_ranges_with_many_segments_are_tried_finer_for_a_while() -> None:
    trial = FinerTrial(0.0)
    assert trial.decide(100.0, 0.5 * TRIAL_SECONDS, segments=MANY, ranges=4) is None
    assert trial.decide(100.0, TRIAL_SECONDS, segments=MANY, ranges=4) is TrialVerdict.CUT_FINER
    assert trial.decide(900.0, 1.5 * TRIAL_SECONDS, segments=MANY, ranges=8) is None


def test_ranges_of_few_segments_hold_nobody_back() -> None:
    trial = FinerTrial(0.0)
    assert trial.decide(100.0, 60.0, segments=MANY - 1, ranges=4) is None


def test_what_lets_more_through_is_kept_and_tried_again_soon() -> None:
    trial = FinerTrial(0.0)
    trial.decide(100.0, TRIAL_SECONDS, segments=MANY, ranges=4)
    more = 100.0 * GAIN + 1
    assert trial.decide(more, 2 * TRIAL_SECONDS, segments=MANY, ranges=8) is TrialVerdict.KEEP
    again = trial.decide(more, 3 * TRIAL_SECONDS, segments=2 * MANY, ranges=8)
    assert again is TrialVerdict.CUT_FINER


def test_what_does_not_is_taken_back_and_tried_less_and_less_often_but_always_again() -> None:
    trial, now, begun = FinerTrial(0.0), 0.0, []
    while now < 300.0:
        now += 0.1
        verdict = trial.decide(100.0, now, segments=MANY, ranges=4)
        assert verdict is not TrialVerdict.KEEP
        if verdict is TrialVerdict.CUT_FINER:
            begun.append(now)
    apart = [round(later - before) for before, later in pairwise(begun)]
    assert apart == sorted(apart)
    assert LONGEST_SECONDS < apart[-1] < LONGEST_SECONDS + 2 * TRIAL_SECONDS
