"""From which length on responses come packed, where that is asked for."""

from typing import Final

from msgspec import Struct

from dynaferry.bench.facts.subject import Subject

SMALLEST_BYTES: Final = 256
LARGEST_BYTES: Final = 256 * 1024
CLOSE_ENOUGH_BYTES: Final = 16


class Packing(Struct, frozen=True, kw_only=True):
    """The longest response that came plain, and the shortest that came packed, both unpacked; None
    where there was none.
    """

    responses: int
    longest_plain: int | None
    shortest_packed: int | None


async def measure_packing(subject: Subject) -> Packing:
    """Reads items of growing sizes, then of those between; `subject` has to take gzip."""
    found: list[tuple[int, bool]] = []

    async def is_packed(size_bytes: int) -> bool:
        key = subject.new_key()
        await subject.put(key, size_bytes)
        length = await subject.response_bytes(key, size_bytes)
        found.append((length, subject.heads.is_packed))
        return subject.heads.is_packed

    plain, packed = 0, None
    size_bytes = SMALLEST_BYTES
    while size_bytes <= LARGEST_BYTES and packed is None:
        if await is_packed(size_bytes):
            packed = size_bytes
        else:
            plain, size_bytes = size_bytes, 2 * size_bytes
    while packed is not None and packed - plain > CLOSE_ENOUGH_BYTES:
        between = (plain + packed) // 2
        if await is_packed(between):
            packed = between
        else:
            plain = between
    return Packing(
        responses=len(found),
        longest_plain=max((length for length, packed in found if not packed), default=None),
        shortest_packed=min((length for length, packed in found if packed), default=None),
    )
