"""The one way on which text from elsewhere reaches a terminal, a log or a page.

A table's keys, a service's words, a file's name may hold anything. Control characters (ESC and the
C1 set) steer a terminal, bidirectional marks turn around what stands beside them, and a line break
begins a line that looks like one of dynaferry's own. So each character that is not printable is
shown as its escape, `\\x1b` or `\\u202e`: it does nothing, and one still sees which it was.
"""

HIGHEST_OF_ONE_ESCAPE = 0xFFFF  # JSON writes what lies beyond as two [RFC 8259, section 7]


def printable(text: str) -> str:
    """One line of printable characters, each other one as Python writes it in a string."""
    if text.isprintable():
        return text
    return "".join(mark if mark.isprintable() else _escaped(mark) for mark in text)


def shortened(text: str, width: int) -> str:
    """One line; shortened as it is shown, so that no escape is cut in what is not shown."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= width else line[: width - 1] + "…"


def printable_json(document: str) -> str:
    """A JSON document that means the same, its strings without a character that is not printable.

    Line breaks between its tokens stay; within a string JSON has none.
    """
    return "\n".join(
        line if line.isprintable() else "".join(_json_mark(mark) for mark in line)
        for line in document.split("\n")
    )


def _escaped(mark: str) -> str:
    return mark.encode("unicode_escape").decode("ascii")


def _json_mark(mark: str) -> str:
    if mark.isprintable():
        return mark
    if mark in "\t\r":  # between tokens, as a service may send them
        return " "
    number = ord(mark)
    if number <= HIGHEST_OF_ONE_ESCAPE:
        return f"\\u{number:04x}"
    high, low = divmod(number - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
