"""Memory that was freed stays with the process: the next page is about as large.

glibc gives large blocks back to the kernel at once, which has to clear them anew when they are
asked for again. Pages and bodies of a megabyte come and go hundreds of times a second: at items of
100 KB that took a third of a copy's CPU time (benchmarks/README.md). The most memory
that the process has does not change by it.
"""

import ctypes
import os
from typing import Final

# The parameters' numbers [glibc, malloc.h], and from where on memory is given back.
M_TRIM_THRESHOLD: Final = -1
M_MMAP_THRESHOLD: Final = -3
TRIM_BYTES: Final = 64 * 1024 * 1024
MAP_BYTES: Final = 4 * 1024 * 1024
# Who sets one of these has other plans.
SETTINGS: Final = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def keep_freed_memory() -> bool:
    """Sets glibc's malloc to keep freed memory, unless the environment sets it; returns whether."""
    if any(name in os.environ for name in SETTINGS):
        return False
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False  # another library, which has no such options
    return all([set_option(M_MMAP_THRESHOLD, MAP_BYTES), set_option(M_TRIM_THRESHOLD, TRIM_BYTES)])
