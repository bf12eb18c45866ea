"""Makes moto's answers come several times faster, and changes nothing in them.

For each value of each item moto looks up all ten members of the service's AttributeValue, each
under half a dozen spellings, and nine of ten are never there; that takes most of the time of a
Scan. A value in wire form is found under the member's own name or not at all.
"""

from typing import Any


def make_faster() -> None:
    """Puts in a look-up that knows wire form. A moto that is built otherwise is left as it is."""
    try:
        from moto.core import responses
        from moto.core.serialize import XFormedAttributePicker
    except ImportError:
        return

    class WireFormPicker(XFormedAttributePicker):  # type: ignore[misc]
        def __call__(self, context: Any) -> Any:
            parent = getattr(context.shape, "parent", None)
            if type(context.obj) is dict and getattr(parent, "name", "") == "AttributeValue":
                return context.obj.get(context.key)
            return super().__call__(context)

    if hasattr(responses, "XFormedAttributePicker"):
        responses.XFormedAttributePicker = WireFormPicker
