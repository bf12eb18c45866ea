"""The two-stage stop (invariant 9): finish what is in flight, then, asked again, cancel."""

import anyio


class StopSignal:
    """Asked once, reading ends and what is in flight is finished; asked twice, all is cancelled.

    Both leave a state that can be resumed. To be made and used inside a running event loop.
    """

    def __init__(self) -> None:
        self.finish = anyio.Event()
        self.cancel = anyio.Event()

    def ask(self) -> None:
        """Asks for the next stage."""
        if self.finish.is_set():
            self.cancel.set()
        else:
            self.finish.set()

    @property
    def asked(self) -> bool:
        """Whether a stop was asked for."""
        return self.finish.is_set()
