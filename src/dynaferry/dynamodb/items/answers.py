"""What an answer that cannot be believed is called: where it came from, and what is wrong."""

from typing import Final

import msgspec
from msgspec import Struct

from dynaferry.errors import CorruptAnswerError, ImpossibleAnswerError

# What reading an answer raises.
UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Answers(Struct, frozen=True):
    """The answers to one operation on one table of a side."""

    operation: str
    side: str
    table: str

    def impossible(self, what: str, segment: int | None = None) -> ImpossibleAnswerError:
        """It came whole, and cannot be true."""
        return ImpossibleAnswerError(
            self._words(what), operation=self.operation, table=self.table, segment=segment
        )

    def unreadable(self, error: Exception, segment: int | None = None) -> CorruptAnswerError:
        """It is no JSON, or JSON of another shape: then whoever sent it meant it like that."""
        if isinstance(error, msgspec.ValidationError):
            return self.impossible(str(error), segment)
        return CorruptAnswerError(
            self._words(str(error)), operation=self.operation, table=self.table, segment=segment
        )

    def _words(self, what: str) -> str:
        return (
            f"{self.operation} on the {self.side} table {self.table} "
            f"gave an answer that is not one: {what}"
        )
