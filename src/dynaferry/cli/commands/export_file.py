"""A file of exported items: only its owner may read it, and it is there whole or not at all."""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import anyio
from anyio import to_thread

from dynaferry.shared.files import refusals_raised, replacing


class ExportFile:
    """A file that is renamed into place once it is whole; a pipe or device is written into."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._replacing = replacing(path, private=True)
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
        def end() -> None:
            self._replacing.__exit__(kind, error, traceback)

        with anyio.CancelScope(shield=True):
            await self._on_thread(end)

    async def write(self, content: bytes) -> None:
        """Appends `content`.

        :raises PlanError: it cannot be written
        """
        await self._on_thread(self._write, content)

    def _open(self) -> None:
        self._file = self._replacing.__enter__()

    def _write(self, content: bytes) -> None:
        if self._file is not None:
            self._file.write(content)

    async def _on_thread(self, step: Callable[..., None], *arguments: bytes) -> None:
        with refusals_raised(f"the file {self._path}", hint="name another with -o"):
            await to_thread.run_sync(step, *arguments)
