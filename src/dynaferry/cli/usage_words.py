"""The words for what cannot be typed: which flag is likely to be meant, and what a value may be."""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, Final

# What the library that reads the command line says of a value, and what people read.
_FAULTS: Final = (
    (re.compile(r"Value error, (.+)"), r"\1"),
    (re.compile(r"Input should be a valid integer.*"), "it must be a whole number"),
    (re.compile(r"Input should be a valid number.*"), "it must be a number"),
    (re.compile(r"Input should be a valid boolean.*"), "it must be true or false"),
    (re.compile(r"Input should be greater than or equal to (\S+)"), r"it must be at least \1"),
    (re.compile(r"Input should be less than or equal to (\S+)"), r"it must be at most \1"),
)
_CHOICE: Final = re.compile(r"'(.*)' is not one of ('.+')\.?")


def no_such_option(name: str, command: Any, root: Any) -> str:
    """What is said of an option that a command does not have."""
    others = [path for path, below in _commands(root) if name in _options(below)]
    if others:
        return f"No such option: {name}. It is one of dynaferry {_listed(others)}."
    likely = get_close_matches(name, sorted(_options(command)), n=1)
    return f"No such option: {name}.{_did_you_mean(likely)}"


def fault_of_value(said: str) -> str:
    """What is wrong with a value, in plain words."""
    for pattern, words in _FAULTS:
        if pattern.fullmatch(said):
            said = pattern.sub(words, said)
    choice = _CHOICE.fullmatch(said)
    if choice is None:
        return said
    known = re.findall(r"'([^']+)'", choice[2])
    return f"{said.removesuffix('.')}.{_did_you_mean(get_close_matches(choice[1], known, n=1))}"


def _did_you_mean(likely: list[str]) -> str:
    return f" Did you mean {likely[0]!r}?" if likely else ""


def _options(command: Any) -> set[str]:
    return {
        name
        for param in command.params
        if param.param_type_name == "option" and not param.hidden
        for name in (*param.opts, *param.secondary_opts)
    }


def _commands(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, below in getattr(command, "commands", {}).items():
        yield f"{path}{name}", below
        yield from _commands(below, f"{path}{name} ")


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
