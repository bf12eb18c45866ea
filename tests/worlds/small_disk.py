"""A small disk of its own, where this machine lets a test make one (as root, on Linux)."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class SmallDisk:
    """A file system in memory, mounted at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def set(self, option: str) -> None:
        """Changes it while it is in use: "size=8m", "ro", "rw"."""
        _mount("-o", f"remount,{option}", str(self.path))


@contextmanager
def small_disk(path: Path, *, size: str) -> Iterator[SmallDisk]:
    """Mounts one; skips the test where that is not allowed."""
    path.mkdir()
    try:
        _mount("-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(path))
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs to mount a disk, which takes root and Linux")
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["/bin/umount", "-l", str(path)], check=True, capture_output=True)


def _mount(*arguments: str) -> None:
    mount = shutil.which("mount")
    if mount is None:
        raise FileNotFoundError("mount")
    subprocess.run([mount, *arguments], check=True, capture_output=True)
