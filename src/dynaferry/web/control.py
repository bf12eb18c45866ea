"""The controls of the live page: what it may change in a run, and how over HTTP."""

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
    """A change of a run's controls; a field left out stays as it is, None lifts a cap.

    `table` is the target's name where it is asked of that table alone.
    """

    paused: bool | UnsetType = UNSET
    max_read_units: _Cap = UNSET
    max_write_units: _Cap = UNSET
    table: str | None = None


# Makes a change; returns when it is stored for the run.
Control = Callable[[Change], Awaitable[None]]


class ControlsView(Struct, frozen=True):
    """The token of a page that may change the run, and the function that makes a change."""

    token: str
    control: Control


async def respond(request: web.Request, controls: ControlsView | None) -> web.Response:
    """The response to a page's change of the controls, which is made if the page may make it."""
    refusal = guards.control_refusal(
        peer=request.remote,
        headers=request.headers,
        expected_token=None if controls is None else controls.token,
    )
    if refusal is not None or controls is None:
        return message(403, refusal or "")
    if request.content_type != "application/json":
        return message(415, "a change is sent as JSON")
    try:
        change = msgspec.json.decode(await request.read(), type=Change)
    except msgspec.MsgspecError as error:
        return message(400, f"the change is not understood: {error}")
    try:
        await controls.control(change)
    except DynaferryError as error:
        return message(409, error.message)
    return message(200, "done: takes effect within 2 s")


def message(status: int, text: str) -> web.Response:
    """A response that says one thing."""
    return web.json_response({"message": text}, status=status)
