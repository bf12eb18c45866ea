"""The names that `import dynaferry` gives: what a function takes, what a record has."""

import inspect
from typing import Any

import msgspec

import dynaferry


def of_the_package() -> dict[str, Any]:
    """Each public name with what it is used by."""
    return {name: _told(getattr(dynaferry, name)) for name in sorted(dynaferry.__all__)}


def _told(value: Any) -> Any:
    if isinstance(value, str):
        return "text"
    if inspect.isfunction(value):
        return {"parameters": _parameters(value)}
    if issubclass(value, msgspec.Struct):
        fields = [field.name for field in msgspec.structs.fields(value)]
        methods = [name for name in _methods(value) if name not in fields]
        return {"fields": fields, "methods": methods}
    if issubclass(value, Exception):
        bases = [base.__name__ for base in value.__mro__ if base.__name__ in dynaferry.__all__]
        return {"parameters": _parameters(value), "is": bases}
    return {"parameters": _parameters(value), "methods": _methods(value)}


def _parameters(value: Any) -> list[str]:
    """Names, with their kind where it matters to whoever calls."""
    prefixes: dict[Any, str] = {
        inspect.Parameter.KEYWORD_ONLY: "*, ",
        inspect.Parameter.VAR_KEYWORD: "**",
    }
    return [
        f"{prefixes.get(each.kind, '')}{each.name}{'' if each.default is each.empty else ' ='}"
        for each in inspect.signature(value).parameters.values()
    ]


def _methods(value: type) -> list[str]:
    return sorted(name for name in vars(value) if not name.startswith("_"))
