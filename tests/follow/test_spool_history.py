"""The history that a spool keeps: each state once, and samples in a bounded number."""

import sqlite3
from contextlib import closing
from pathlib import Path

from dynaferry.follow.spool_file import SpoolFile
from dynaferry.follow.spool_history import (
    MOST_SAMPLES,
    note_sample,
    read_samples,
    read_states,
    thinned,
)
from dynaferry.observe.move_history import MovePoint
from tests.observe.moves import AT, a_move_status


def sample(second: float, lag: float | None = 0.5) -> MovePoint:
    return MovePoint(second, lag, int(second), int(second), 7, 4096)


def test_each_state_is_kept_once_with_the_time_at_which_it_began(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    with closing(SpoolFile.create(path, "id")) as spool:
        states = ("capturing", "copying", "copying", "replaying", "following", "re-syncing")
        for second, state in enumerate(states):
            spool.note_status(a_move_status(state=state, at=AT + second))
    with closing(sqlite3.connect(path)) as connection:
        assert read_states(connection) == [
            (AT, "capturing"),
            (AT + 1, "copying"),
            (AT + 3, "replaying"),
            (AT + 4, "following"),
            (AT + 5, "re-syncing"),
        ]


def test_a_state_that_lasts_for_less_than_a_status_is_kept_as_well(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    with closing(SpoolFile.create(path, "id")) as spool:
        spool.note_status(
            a_move_status(state="replaying", at=AT),
            entered=[(AT - 0.5, "capturing"), (AT - 0.4, "copying"), (AT - 0.1, "replaying")],
        )
        spool.note_status(a_move_status(state="following", at=AT + 1))
    with closing(sqlite3.connect(path)) as connection:
        assert read_states(connection) == [
            (AT - 0.5, "capturing"),
            (AT - 0.4, "copying"),
            (AT - 0.1, "replaying"),
            (AT + 1, "following"),
        ]


def test_samples_are_kept_with_the_status(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    with closing(SpoolFile.create(path, "id")) as spool:
        spool.note_status(a_move_status(), sample(1.0))
        spool.note_status(a_move_status())
        spool.note_status(a_move_status(), sample(2.0, None))
    with closing(sqlite3.connect(path)) as connection:
        assert read_samples(connection) == [sample(1.0), sample(2.0, None)]


def test_half_of_the_samples_have_the_first_the_last_and_the_highest_lag() -> None:
    for count in range(12):
        for spike in range(count):
            samples = [sample(n, 90.0 if n == spike else 1.0) for n in range(count)]
            kept = thinned(samples)
            assert (kept[0].seconds, kept[-1].seconds) == (0, count - 1)
            assert max(each.lag_seconds or 0.0 for each in kept) == 90.0
            assert len(kept) <= count // 2 + 1 or count < 3


def test_weeks_of_samples_are_a_bounded_number(tmp_path: Path) -> None:
    path = tmp_path / "spool.sqlite"
    SpoolFile.create(path, "id").close()
    with closing(sqlite3.connect(path)) as connection:
        for number in range(3 * MOST_SAMPLES):
            note_sample(connection, sample(float(number)))
        kept = read_samples(connection)
    assert len(kept) <= MOST_SAMPLES
    assert (kept[0].seconds, kept[-1].seconds) == (0.0, 3 * MOST_SAMPLES - 1)
    assert [each.seconds for each in kept] == sorted(each.seconds for each in kept)
