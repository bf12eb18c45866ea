"""A file of exported items: only its owner may read it, and it is there whole or not at all."""

import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from anyio import to_thread

from dynaferry.errors import PlanError


class ExportFile:
    """Written under another name and renamed at the end; what is no plain file is written into."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unfinished: Path | None = None
        self._file: BinaryIO | None = None

    async def __aenter__(self) -> Self:
        await self._on_thread(self._open)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._on_thread(self._finish if error is None else self._drop)

    async def write(self, content: bytes) -> None:
        """Appends `content`.

        :raises PlanError: it cannot be written
        """
        await self._on_thread(self._write, content)

    async def _on_thread(self, step: Callable[..., None], *arguments: bytes) -> None:
        try:
            await to_thread.run_sync(step, *arguments)
        except OSError as error:
            raise PlanError(
                f"the file {self._path} cannot be written: {error.strerror}",
                hint="name another with -o",
            ) from error

    def _open(self) -> None:
        if self._path.exists() and not self._path.is_file():
            self._file = self._path.open("wb")
            return
        self._unfinished = self._path.with_name(f".{self._path.name}.{os.getpid()}.new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._file = os.fdopen(os.open(self._unfinished, flags, 0o600), "wb")

    def _write(self, content: bytes) -> None:
        if self._file is not None:
            self._file.write(content)

    def _finish(self) -> None:
        if self._file is not None:
            self._file.close()
        if self._unfinished is not None:
            self._unfinished.replace(self._path)

    def _drop(self) -> None:
        if self._unfinished is not None:
            self._unfinished.unlink(missing_ok=True)
        if self._file is not None:
            self._file.close()
