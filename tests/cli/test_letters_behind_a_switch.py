"""Of a move without a stream no letter is written either, once it was switched."""

from pathlib import Path

import anyio
import pytest

from dynaferry.cli.main import run_command
from dynaferry.state.move_records import Stage
from tests.cli.test_cut_over_interrupted import SWITCHED, store_move


@pytest.mark.parametrize(
    ("stages", "code"), [(("following",), 0), (SWITCHED, 3), ((*SWITCHED, "finished"), 3)]
)
def test_no_letter_of_a_move_without_a_stream_is_written_behind_its_switch(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    stages: tuple[Stage, ...],
    code: int,
) -> None:
    anyio.run(store_move, tmp_path, stages)
    assert run_command(["dead-letters", "replay", "orders", "--state-dir", str(tmp_path)]) == code
    assert ("none is written any more" in capsys.readouterr().err) == (code == 3)
