"""What the service saw, against what must be reached. Pure."""

from collections.abc import Callable, Sequence
from itertools import pairwise

from msgspec import Struct

from benchmarks.simulator import Report, Second, TableReport
from benchmarks.throttle.cases import Case

SETTLED_SECONDS = 5
SETTLED_SHARES = (0.9, 1.1)
PARTITION_WRITE_UNITS = 1000.0


class Finding(Struct, frozen=True, kw_only=True):
    """One figure of a trial. `reached` is None where nothing was asked of it."""

    what: str
    value: str
    asked: str = ""
    reached: bool | None = None
    number: float | None = None


def findings(case: Case, report: Report, seconds: float, names: Sequence[str]) -> list[Finding]:
    """What there is to say of a trial that took `seconds`; `names` are the limits it named."""
    target, source = report.tables["target"], report.tables["source"]
    judges: dict[str, Callable[[], list[Finding]]] = {
        "hot-key": lambda: _hot_key(case, target, seconds),
        "brown-out": lambda: _brown_out(target),
        "production": lambda: _production(source),
        "steps": lambda: [*_usual(case, target), *_settled(target, (25, 45))],
        "index": lambda: [*_index(case, target), _named("index by-owner", names)],
    }
    return judges.get(case.name, lambda: _usual(case, target))()


def judged(case: Case, table: TableReport) -> list[Second]:
    """The whole seconds that count."""
    return [s for s in table.seconds[:-1] if s.second >= case.judged_from and s.write_requests]


def _usual(case: Case, target: TableReport) -> list[Finding]:
    seconds = judged(case, target)
    used = sum(s.write_units for s in seconds)
    share = used / sum(_offered(case, s) for s in seconds)
    return [_at_least("share of capacity", share, case.least_share), _throttled(case, seconds)]


def _offered(case: Case, second: Second) -> float:
    return second.write_capacity


def _throttled(case: Case, seconds: Sequence[Second]) -> Finding:
    requests = sum(s.write_requests for s in seconds)
    throttled = sum(s.throttled_writes for s in seconds) / requests
    return _at_most("write requests throttled", throttled, case.most_throttled)


def _index(case: Case, target: TableReport) -> list[Finding]:
    seconds = judged(case, target)
    used = sum(s.index_write_units["by-owner"] for s in seconds)
    offered = sum(s.index_write_capacity["by-owner"] for s in seconds)
    return [
        _at_least("share of the index's capacity", used / offered, case.least_share),
        _throttled(case, seconds),
    ]


def _named(name: str, names: Sequence[str]) -> Finding:
    return Finding(
        what="named as the limit", value=", ".join(names), asked=name, reached=name in names
    )


def _settled(target: TableReport, steps: Sequence[int]) -> list[Finding]:
    """The least and the most of its capacity that two seconds gave, from 5 s after each step on.

    Two, because the service gives in one second what the second before did not use. More than
    the capacity is only given while a rate that was too low before is being made up for.
    """
    least, most = SETTLED_SHARES
    whole = target.seconds[:-1]
    ends = [*steps[1:], len(whole)]
    shares = [
        sum(s.write_units for s in pair) / sum(s.write_capacity for s in pair)
        for step, end in zip(steps, ends, strict=True)
        for pair in pairwise(whole[step + SETTLED_SECONDS : end - 1])
    ]
    return [
        _at_least("least of two seconds, from 5 s after a step on", min(shares), least),
        _at_most("most of two seconds, from 5 s after a step on", max(shares), most),
    ]


def _hot_key(case: Case, target: TableReport, seconds: float) -> list[Finding]:
    """The hot key's partition holds that key and its share of the rest: nothing makes it faster."""
    partitions = len(target.seconds[0].partition_write_units)
    items, share = case.source.items, case.source.hot_key_share
    others = items * (1 - share) / partitions
    allowed = (items * share + others) / PARTITION_WRITE_UNITS
    by_partition = [s.partition_write_units for s in target.seconds]
    totals = [sum(units) for units in zip(*by_partition, strict=True)]
    hot = totals.index(max(totals))
    written, rest_done = 0.0, seconds
    for number, units in enumerate(by_partition):
        written += sum(units) - units[hot]
        if written >= 0.99 * others * (partitions - 1):
            rest_done = number + 1.0
            break
    fastest = others / PARTITION_WRITE_UNITS
    return [
        _at_most("finish, in parts of what the partition allows", seconds / allowed, 1.10),
        Finding(
            what="the rest was written after",
            value=f"{rest_done:.0f} s (its partitions allow {fastest:.0f} s)",
        ),
    ]


def _brown_out(target: TableReport) -> list[Finding]:
    before = [s.write_units for s in target.seconds if 12 <= s.second < 20]
    level = 0.9 * sum(before) / len(before)
    during = sum(s.write_requests for s in target.seconds if 20 <= s.second < 50)
    after = [s for s in target.seconds if s.second >= 50]
    back = next((s.second - 50 for s in after if s.write_units >= level), None)
    held = [s.write_units for s in after if 6 <= s.second - 50 < 16]
    return [
        _at_most("requests a second during it", during / 30, 5.0, as_percent=False),
        Finding(
            what="back at 90% after",
            value="never" if back is None else f"{back} s",
            asked="6 s",
            reached=back is not None and back <= 6,
        ),
        _at_least("level from 6 s to 16 s after it", sum(held) / len(held) / (level / 0.9), 0.9),
    ]


def _production(source: TableReport) -> list[Finding]:
    seconds = [s for s in source.seconds[:-1] if s.read_requests]
    lost = sum(s.production_lost_units for s in seconds)
    wanted = sum(s.production_units for s in seconds)
    used = sum(s.read_units for s in seconds)
    spare = sum(s.read_capacity - s.production_units for s in seconds)
    return [
        _at_most("production's reads lost", lost / wanted, 0.03),
        Finding(what="read units used by the copy, of what is spare", value=f"{used / spare:.1%}"),
    ]


def _at_least(what: str, value: float, asked: float | None) -> Finding:
    if asked is None:
        return Finding(what=what, value=f"{value:.1%}", number=value)
    return Finding(
        what=what,
        value=f"{value:.1%}",
        asked=f"≥ {asked:.0%}",
        reached=value >= asked,
        number=value,
    )


def _at_most(what: str, value: float, asked: float | None, *, as_percent: bool = True) -> Finding:
    text = f"{value:.1%}" if as_percent else f"{value:.1f}"
    if asked is None:
        return Finding(what=what, value=text, number=value)
    limit = f"≤ {asked:.0%}" if as_percent else f"≤ {asked:g}"
    return Finding(what=what, value=text, asked=limit, reached=value <= asked, number=value)
