"""Freed memory is kept: what the kernel counts in a process of its own."""

import os
import platform
import subprocess
import sys

import pytest

from dynaferry.cli.process_tuning import SETTINGS

BLOCKS = """
import resource, sys
from dynaferry.cli.process_tuning import keep_freed_memory
told = keep_freed_memory() if sys.argv[1] == "keep" else None
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(300):
    blocks = [bytes(bytearray(b"x" * 1_000_000)) for _ in range(3)]
    del blocks
print(told, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def blocks(how: str, **environment: str) -> tuple[str, int]:
    """What was told, and how many pages the kernel had to find for blocks that came and went."""
    clean = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    done = subprocess.run(
        [sys.executable, "-c", BLOCKS, how],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**clean, **environment},
    )
    told, faults = done.stdout.split()
    return told, int(faults)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these options")
def test_blocks_that_come_and_go_are_not_asked_of_the_kernel_again() -> None:
    told, faults = blocks("keep")
    assert told == "True"
    _, faults_before = blocks("as it is")
    assert faults < faults_before / 4


@pytest.mark.parametrize("name", SETTINGS)
def test_who_has_set_the_allocator_is_not_overruled(name: str) -> None:
    told, _ = blocks("keep", **{name: "glibc.malloc.check=0" if name == SETTINGS[2] else "131072"})
    assert told == "False"
