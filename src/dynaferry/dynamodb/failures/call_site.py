"""Where a call was made, and with whose credentials: what every message names."""

from msgspec import Struct


class CallSite(Struct, frozen=True, kw_only=True):
    """Where a call was made.

    `table` is None for what is done once for the whole side. `acting_as` is whose rights the call
    needs; `caller` is who asks for a role, where that is somebody else.
    """

    table: str | None
    side: str
    acting_as: str
    caller: str | None = None

    def where(self, operation: str) -> str:
        """The beginning of a message."""
        if self.table is not None:
            return f"{operation} on the {self.side} table {self.table}"
        if operation == "AssumeRole" and self.caller is not None:
            return f"assuming the {self.side}'s {self.acting_as} with {self.caller}"
        if operation == "AssumeRole":
            return f"assuming the {self.side}'s {self.acting_as}"
        return f"{operation} for the {self.side} ({self.acting_as})"

    def signer(self, operation: str) -> str:
        """Whose credentials a call of `operation` was signed with."""
        return self.caller or self.acting_as if operation == "AssumeRole" else self.acting_as
