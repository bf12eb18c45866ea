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


def test_a_segment_fills_by_what_is_read_of_it_and_never_to_the_brim() -> None:
    segments = SegmentMap(4)
    segments.begun(2)
    assert segments.filled(None) == {2: 0.0}
    segments.read(2, 30)
    assert segments.filled(None) == {2: 0.0}
    assert segments.filled(400) == {2: 0.3}
    segments.read(2, 500)
    assert segments.filled(400) == {2: 0.95}
    segments.done(2)
    assert segments.filled(400) == {}


def test_what_ended_segments_held_says_more_than_the_services_count() -> None:
    segments = SegmentMap(100)
    for segment in range(5):
        segments.begun(segment)
        segments.read(segment, 20)
        segments.done(segment)
    segments.begun(7)
    segments.read(7, 10)
    assert segments.filled(1_000_000) == {7: 0.5}


def test_a_resumed_segment_goes_on_from_what_was_read_of_it() -> None:
    segments = SegmentMap(4)
    segments.done_before([0])
    segments.read_before([(0, 100), (1, 50), (2, 0)])
    segments.begun(1)
    assert segments.filled(400) == {1: 0.5}
