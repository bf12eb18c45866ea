"""Reads a response, or says of one that cannot be believed where it came from and what is wrong."""

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec
from msgspec import Raw, Struct

from dynaferry.dynamodb.capacity import Consumed
from dynaferry.errors import CorruptAnswerError, ImpossibleAnswerError

# What reading a response raises.
UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


_Response = TypeVar("_Response")


class SingleWriteResponse(Struct, frozen=True):
    """What is read of the response to a write of one item; unknown fields are passed over."""

    ConsumedCapacity: Consumed | None = None
    # Whoever responds with an error, or with words of its own, has written nothing.
    # `Raw | None` is not a field type of msgspec's: an empty Raw stands for an absent field.
    error: Raw = msgspec.field(name="__type", default=Raw())
    message: Raw = Raw()
    capital_message: Raw = msgspec.field(name="Message", default=Raw())

    @property
    def consumed_units(self) -> float | None:
        """What the write consumed; None where the service did not say."""
        return None if self.ConsumedCapacity is None else self.ConsumedCapacity.CapacityUnits


_SingleWrite = TypeVar("_SingleWrite", bound=SingleWriteResponse)


class ResponseReader(Struct, frozen=True):
    """Reads the responses to one operation on one table of a side."""

    operation: str
    side: str
    table: str

    def read(
        self, decode: Callable[[bytes], _Response], response: bytes, segment: int | None = None
    ) -> _Response:
        """The response as `decode` reads it.

        :raises CorruptAnswerError: it cannot be read, or says what cannot be
        """
        try:
            return decode(response)
        except UNREADABLE as error:
            raise self.unreadable(error, segment) from error

    def read_write(self, decode: Callable[[bytes], _SingleWrite], response: bytes) -> _SingleWrite:
        """The response to a write of one item.

        :raises CorruptAnswerError: it cannot be read, or tells of an error
        """
        written = self.read(decode, response)
        if written.error or written.message or written.capital_message:
            raise self.impossible("it reports an error")
        return written

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
            f"gave a response that is not one: {what}"
        )
