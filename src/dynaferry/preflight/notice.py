"""A notice: what a person should know before a copy, by how much it matters. Pure."""

from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

# A `warning` may cost items, time or money; a `note` explains; `speed` is what would make it
# faster; `after` is left to do once the copy is done.
Weight = Literal["warning", "speed", "note", "after"]


class Notice(Struct, frozen=True):
    """One sentence, and its weight."""

    weight: Weight
    text: str


def warning(text: str) -> Notice:
    """A notice on what may cost items, time or money."""
    return Notice("warning", text)


def note(text: str) -> Notice:
    """A notice that explains."""
    return Notice("note", text)


def after(text: str) -> Notice:
    """A notice on what is left to do after the copy."""
    return Notice("after", text)


def texts(notices: Iterable[Notice]) -> list[str]:
    """The notices without their weights."""
    return [notice.text for notice in notices]


def by_table(tables: Sequence[tuple[str, Sequence[Notice]]], *weights: Weight) -> list[str]:
    """The notices of these weights, each once, behind the tables that it is about where it is not
    about all of them.
    """
    about: dict[str, list[str]] = {}
    for name, notices in tables:
        for text in dict.fromkeys(n.text for n in notices if n.weight in weights):
            about.setdefault(text, []).append(name)
    return [
        text if len(names) == len(tables) else f"{', '.join(names)}: {text}"
        for text, names in about.items()
    ]
