"""How many items the targets of a run may refuse before that is no longer a matter of items. Pure.

A few refusals are bad items. Thousands are a wrong target: an index of another key type, a table
with other keys. Setting them all aside would copy nothing and look busy.
"""


class RejectionLimit:
    """Counts the refusals of all tables of a run, from `so_far` on."""

    def __init__(self, most: int, *, so_far: int = 0) -> None:
        self.most = most
        self._rejected = so_far

    def allows(self, more: int) -> bool:
        """Counts `more` refusals if they are within the limit, and says whether they are.

        What is beyond it is not counted: it is neither set aside nor acknowledged, so that it is
        read, and may be written, when the run goes on.
        """
        if self._rejected + more > self.most:
            return False
        self._rejected += more
        return True
