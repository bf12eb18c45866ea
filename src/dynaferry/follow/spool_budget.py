"""What a spool may take of the disk: beyond, keys are kept and items are read again."""

from typing import Final

# So many images at once are given up where it is too much.
IMAGES_AT_ONCE: Final = 10_000


class SpoolBudget:
    """What a spool may take of the disk: beyond, keys are kept and items are read again."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.is_over = False

    def note(self, used_bytes: int) -> bool:
        """Takes what is used now; returns whether it is too much."""
        self.is_over = used_bytes > self.most_bytes
        return self.is_over
