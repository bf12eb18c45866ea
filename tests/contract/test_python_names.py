"""The package has the names that were recorded; the structures behind them may live anywhere."""

from tests.contract import python_names
from tests.contract.world import FIXTURES, recorded


def test_the_package_has_the_names_that_programs_import() -> None:
    assert python_names.of_the_package() == recorded(FIXTURES / "python.json")
