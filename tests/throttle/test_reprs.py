"""What a limiter looks like in a debugger or a log."""

from dynaferry.throttle.adaptive_limiter import AdaptiveLimiter
from dynaferry.throttle.cap import Cap
from dynaferry.throttle.limiter import CapLimiter
from dynaferry.throttle.pause import PauseGate
from dynaferry.throttle.rate_controller import RateController
from dynaferry.throttle.rate_profile import EAGER


def test_a_cap_shows_its_limit_and_what_is_reserved() -> None:
    assert repr(Cap(500.0)) == "<Cap 500 units/s, 0 reserved>"
    assert repr(Cap()) == "<Cap no limit, 0 reserved>"


def test_a_limiter_shows_its_strictest_cap_and_a_pause() -> None:
    gate = PauseGate()
    limiter = CapLimiter([Cap(500.0), Cap(20.5)], gate)
    assert repr(limiter) == "<CapLimiter cap 20.5 units/s>"
    gate.close()
    assert repr(CapLimiter([], gate)) == "<CapLimiter no cap, paused>"


def test_a_limiter_that_adapts_shows_its_rate_and_the_limit_that_it_found() -> None:
    controller = RateController(EAGER, now=0.0)
    shown = repr(AdaptiveLimiter(controller, CapLimiter([])))
    assert shown == "<AdaptiveLimiter 1000 units/s, no limit found, <CapLimiter no cap>>"
