"""`dynaferry move --without-stream` for which a minute is two seconds: run as a process.

A `defect` may be put in by the first argument, to see that it is found; "" for none.
"""

import sys

from dynaferry.__main__ import main
from dynaferry.follow.passes import convergence
from dynaferry.follow.passes.last_pass import LastPass
from tests.moves.move_child import Setup, compress


async def _compares_not(_: LastPass) -> tuple[str, ...]:
    """The step that is left out."""
    return ()


def put_in(defect: str) -> None:
    """Makes this process wrong in one way."""
    if defect == "no doubts":
        LastPass._may_land_seconds = 0.0  # type: ignore[assignment, method-assign]
    elif defect == "no last pass":
        LastPass._compare = _compares_not  # type: ignore[assignment, method-assign]
        LastPass._look_again = _compares_not  # type: ignore[assignment, method-assign]
    elif defect:
        raise ValueError(f"no such defect: {defect}")


if __name__ == "__main__":
    compress(Setup())
    vars(convergence)["LEAST_REST_SECONDS"] = 1.0
    put_in(sys.argv.pop(1))
    main()
