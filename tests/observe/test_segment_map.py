from dynaferry.observe.segment_map import SegmentMap


class Clock:
    """Shows the time that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_segment_is_under_way_from_its_first_page_until_it_is_acknowledged() -> None:
    clock = Clock()
    segments = SegmentMap(8, clock=clock)
    segments.begun(3)
    clock.now = 107.0
    segments.begun(3)
    assert segments.seconds_under_way() == [(3, 7.0)]
    clock.now = 109.0
    segments.done(3)
    assert segments.seconds_under_way() == []
    assert segments.finished == [(3, 9.0)]


def test_what_earlier_attempts_finished_took_nobody_knows_how_long() -> None:
    segments = SegmentMap(8)
    segments.done_before([5, 1])
    assert segments.finished == [(5, None), (1, None)]
