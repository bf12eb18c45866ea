"""The display of progress, of any run: lines for a log, or a picture that is redrawn in place.

The caller says what is shown: `sample` reads the counters and returns it,
`lines` puts it into words, `render` into a picture. A display reads, and can stop nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:  # a log needs none of it
    from rich.console import Console, RenderableType

PLAIN_LINES_EVERY_SECONDS: Final = 10
_SAMPLE_SECONDS: Final = 1.0
_REFRESH_SECONDS: Final = 0.5

Seen = TypeVar("Seen")
Line = TypeVar("Line")  # a text, or an event with fields
Sleep = Callable[[float], Awaitable[None]]


async def write_lines(
    sample: Callable[[], Seen],
    lines: Callable[[Seen], Sequence[Line]],
    *,
    last_lines: Callable[[Seen], Sequence[Line]],
    news: Callable[[], Sequence[Line]],
    write: Callable[[Line], None],
    sleep: Sleep,
) -> None:
    """Writes lines every ten seconds until it is cancelled at the end, and then the last ones.

    `news` are written as soon as they are there. `write` must not raise.
    """

    def write_all(worth: Sequence[Line]) -> None:
        for line in worth:
            write(line)

    ticks = 0
    try:
        while True:
            seen = sample()
            write_all(news())
            if ticks and ticks % PLAIN_LINES_EVERY_SECONDS == 0:
                write_all(lines(seen))
            ticks += 1
            await sleep(_SAMPLE_SECONDS)
    finally:
        write_all(last_lines(sample()))


async def redraw(
    sample: Callable[[], Seen],
    render: Callable[[Seen], RenderableType],
    *,
    console: Console,
    sleep: Sleep,
) -> None:
    """Redraws until it is cancelled at the end; the last picture stays on the screen.

    A terminal that went away ends the display and nothing else.
    """
    from rich.live import Live

    try:
        with Live(console=console, auto_refresh=False, redirect_stdout=False) as live:
            try:
                while True:
                    live.update(render(sample()), refresh=True)
                    await sleep(_REFRESH_SECONDS)
            finally:
                live.update(render(sample()), refresh=True)
    except OSError:
        return
