"""What holds a run back, as it looks in a debugger or a log."""

from dynaferry.control.run_limits import RunCaps
from tests.state.contract import PLAN


def test_the_caps_of_a_run_show_their_limits_and_a_pause() -> None:
    caps = RunCaps(PLAN)
    caps.read.set(None)
    caps.write.set(500.0)
    assert repr(caps) == (
        "<RunCaps read <Cap no limit, 0 reserved>, write <Cap 500 units/s, 0 reserved>>"
    )
    caps.gate.close()
    assert repr(caps).endswith(", paused>")
