from xml.etree import ElementTree

import pytest

from dynaferry.report.plot import HEIGHT, WIDTH, PlotLine, _round_up, plot
from dynaferry.report.rates import Rate


def drawn(markup: str) -> ElementTree.Element:
    """The picture itself, without what lets a narrow screen scroll it."""
    [picture] = ElementTree.fromstring(markup)  # noqa: S314  # our own
    return picture


def test_a_gap_breaks_the_line() -> None:
    rates = [Rate(0, 1), Rate(1, 2), Rate(2, None), Rate(3, 4), Rate(4, 1)]
    picture = drawn(plot("items", [PlotLine("items", rates)]))
    lines = picture.findall("polyline")
    assert [len((line.get("points") or "").split()) for line in lines] == [2, 2]


def test_all_of_it_is_within_the_picture() -> None:
    rates = [Rate(second, second**3 % 977) for second in range(100)]
    picture = drawn(plot("items", [PlotLine("items", rates)]))
    [line] = picture.findall("polyline")
    for point in (line.get("points") or "").split():
        x, y = map(float, point.split(","))
        assert 0 <= x <= WIDTH
        assert 0 <= y <= HEIGHT


def test_a_limit_far_above_what_is_used_does_not_press_it_flat() -> None:
    used = [Rate(second, 90) for second in range(4)]
    limit = [Rate(0, 100), Rate(1, 100), Rate(2, 500_000), Rate(3, 500_000)]
    picture = drawn(plot("writes", [PlotLine("limit", limit), PlotLine("writes", used)]))
    assert "400" in [text.text for text in picture.findall("text")]
    lines = {line.get("class"): line.get("points") or "" for line in picture.findall("polyline")}
    assert (len(lines["limit"].split()), len(lines["writes"].split())) == (2, 4)


def test_the_title_is_text() -> None:
    picture = plot("<b>&", [PlotLine("items", [Rate(0, 1), Rate(1, 1)])])
    assert "<title>&lt;b&gt;&amp;</title>" in picture


def test_what_cannot_be_drawn_is_said() -> None:
    assert "too short" in plot("items", [PlotLine("items", [Rate(0, 1), Rate(1, None)])])
    limit = PlotLine("limit", [Rate(0, 1), Rate(1, 1)])
    assert "too short" in plot("items", [limit, PlotLine("items", [])])


@pytest.mark.parametrize(("value", "top"), [(0.0, 1), (1.0, 1), (3.0, 4), (79.0, 80), (81.0, 100)])
def test_the_axis_ends_at_a_number_that_is_easy_to_read(value: float, top: float) -> None:
    assert _round_up(value) == top
