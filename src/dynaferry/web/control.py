"""What the live page may change in a run, and how it is said over HTTP."""

from collections.abc import Awaitable, Callable
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, Struct, UnsetType

from dynaferry.errors import DynaferryError
from dynaferry.limits import LEAST_CAP_UNITS
from dynaferry.web import guards

_Cap = Annotated[float, Meta(ge=LEAST_CAP_UNITS)] | None | UnsetType


class Change(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be different from now on; what is left out stays. None lifts a cap."""

    paused: bool | UnsetType = UNSET
    max_read_units: _Cap = UNSET
    max_write_units: _Cap = UNSET


# Makes a change; returns when it is told to the run.
Control = Callable[[Change], Awaitable[None]]


class ControlsView(Struct, frozen=True):
    """Who may change the run, and how it is done."""

    token: str
    control: Control


async def answer(request: web.Request, controls: ControlsView | None) -> web.Response:
    """Does what a page asks for, if it may ask."""
    refusal = guards.control_refusal(
        peer=request.remote,
        headers=request.headers,
        expected_token=None if controls is None else controls.token,
    )
    if refusal is not None or controls is None:
        return _told(403, refusal or "")
    if request.content_type != "application/json":
        return _told(415, "a change is sent as JSON")
    try:
        change = msgspec.json.decode(await request.read(), type=Change)
    except msgspec.MsgspecError as error:
        return _told(400, f"the change is not understood: {error}")
    try:
        await controls.control(change)
    except DynaferryError as error:
        return _told(409, error.message)
    return _told(200, "done")


def _told(status: int, message: str) -> web.Response:
    return web.json_response({"message": message}, status=status)
