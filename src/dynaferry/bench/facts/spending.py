"""What a measurement has cost, at the most, and its ceiling."""

from dynaferry import limits
from dynaferry.bench.facts.settings import FactsPlan
from dynaferry.errors import StoppedError


class CeilingError(StoppedError):
    """What was about to be sent might cost more than may be spent."""


class Spending:
    """Dollars spent so far, under a ceiling: what might go beyond is not sent.

    Each request is charged beforehand with the most that it can cost, and once more where it is
    sent again.
    """

    def __init__(self, plan: FactsPlan) -> None:
        self._most = plan.max_cost
        self._per_write = plan.price_per_million_writes / 1e6
        self._per_read = plan.price_per_million_reads / 1e6
        self.dollars = 0.0
        self.is_full = False

    def writes(self, units: float) -> None:
        """So many write units are about to be consumed.

        :raises CeilingError: they might cost too much
        """
        self._charge(units * self._per_write)

    def reads(self, units: float) -> None:
        """So many read units are about to be consumed.

        :raises CeilingError: they might cost too much
        """
        self._charge(units * self._per_read)

    def stream_read(self) -> None:
        """A GetRecords is about to be sent.

        :raises CeilingError: it might cost too much
        """
        self._charge(limits.PRICE_PER_MILLION_STREAM_READS / 1e6)

    def provisioned_hour(self, write_units: float, read_units: float) -> None:
        """A table with this capacity is about to be there, for less than an hour.

        :raises CeilingError: it might cost too much
        """
        self._charge(
            write_units * limits.PRICE_PER_WRITE_UNIT_HOUR
            + read_units * limits.PRICE_PER_READ_UNIT_HOUR
        )

    def _charge(self, dollars: float) -> None:
        if self.dollars + dollars > self._most:
            self.is_full = True
            raise CeilingError(f"the ceiling of ${self._most:g} was reached")
        self.dollars += dollars
