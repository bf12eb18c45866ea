"""The switch of a move on the live page: what the page may ask for, and what it is told of it."""

from typing import Literal, Protocol

import msgspec
from aiohttp import web
from msgspec import Struct

from dynaferry.errors import DynaferryError
from dynaferry.web import guards
from dynaferry.web.control import message

SwitchWord = Literal["check", "cut-over", "withdraw"]


class SwitchRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What a page asks of a move. `withdraw` ends what a page has asked for before."""

    what: SwitchWord


class SwitchNews(Struct, frozen=True, kw_only=True):
    """The last thing that was asked of a move, here or elsewhere, and what has come of it.

    `lines` are its steps so far, each with its seconds; `told` is what it came to, line by line,
    and `outcome` None before that. `may_withdraw`: a page asked for it, and it has no end yet.
    """

    what: str
    lines: tuple[str, ...]
    outcome: str | None = None
    told: tuple[str, ...] = ()
    is_good: bool = False
    may_withdraw: bool = False


class SwitchDesk(Protocol):
    """Where pages ask for a switch."""

    @property
    def news(self) -> SwitchNews | None:
        """What was asked last; None as long as nothing was."""
        ...

    def note_pages(self, pages: int) -> None:
        """So many pages are open now: without one nobody waits for what a page has asked for."""
        ...

    async def ask(self, what: SwitchWord) -> None:
        """Asks for it; returns before it is done.

        :raises DynaferryError: it cannot be asked for now
        """
        ...


async def respond(
    request: web.Request, desk: SwitchDesk | None, expected_token: str | None
) -> web.Response:
    """The response to what a page asks of a move, which is asked for if the page may."""
    refusal = guards.control_refusal(
        peer=request.remote, headers=request.headers, expected_token=expected_token
    )
    if refusal is not None:
        return message(403, refusal)
    if desk is None:
        return message(409, "nothing is moved here")
    if request.content_type != "application/json":
        return message(415, "a request is sent as JSON")
    try:
        asked = msgspec.json.decode(await request.read(), type=SwitchRequest)
    except msgspec.MsgspecError as error:
        return message(400, f"the request is not understood: {error}")
    try:
        await desk.ask(asked.what)
    except DynaferryError as error:
        return message(409, error.message)
    return message(200, "asked")
