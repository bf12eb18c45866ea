"""The command that resumes a run: kept with its settings without any secret, printed to be copied.

What is kept are the flags as they were given, and not the words of the command line: so what came
from the environment is in the command too, and `dynaferry resume` begins it without a shell. The
names of profiles are of a person's machine: they are printed to who has typed them, and not kept.
"""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

# Flags that hold a secret, or may: they are left out, and the command says so.
SECRET_FLAGS: Final = ("source_external_id", "target_external_id", "on_end")
_OF_A_PERSON: Final = ("source_profile", "target_profile")
# Which tables one attempt is for: a run that is resumed is one of all tables of its plan.
_OF_AN_ATTEMPT: Final = ("only",)
# What is for one attempt alone: said again, it would pay for everything again.
_ONCE: Final = ("restart", "restart_table", "restart_tables", "dry_run", "forward")
# What says which tables these are, and how to reach them.
_OF_SIDES: Final = tuple(
    f"{side}_{name}"
    for side in ("source", "target")
    for name in ("region", "profile", "role_arn", "external_id", "endpoint_url")
)
_OF_VERIFY: Final = frozenset(
    {"source", "target", "exclude", "plan", "only", "skip", "run", "state_dir"}
    | {*_OF_SIDES, "sts_endpoint_url"}
)
_POSITIONAL: Final = ("source", "target")
CAPS: Final = ("max_read_units", "max_write_units")


class RecordedCommand(Struct, frozen=True, kw_only=True):
    """The command line of an attempt without what is secret.

    `flags` are those that were given, by their names in Python, as JSON has them. `left_out` names
    the options that were given and are not kept, and the variables without an option. `directory`
    is where relative paths begin, "" where that is not known.
    """

    name: str
    flags: dict[str, Any]
    directory: str = ""
    left_out: tuple[str, ...] = ()


class Invocation(Struct, frozen=True):
    """How an attempt was begun: by this command, and whether a person typed it now.

    One that `dynaferry resume` begins was typed long ago: what was `set` since is newer.
    """

    command: RecordedCommand
    typed_now: bool = True

    @property
    def typed_caps(self) -> dict[str, float]:
        """The caps that were typed now, by the names of their settings."""
        flags = self.command.flags if self.typed_now else {}
        return {name: flags[name] for name in CAPS if name in flags}


def recorded_command(
    name: str, given: Mapping[str, Any], directory: str, variables: Sequence[str] = ()
) -> RecordedCommand:
    """The command `name` with the flags that were `given`, each a value as JSON has it.

    `variables` are those that its tables came from: their text is not kept.
    """
    secret = [flag for flag, value in given.items() if _has_secret(flag, value)]
    kept = {flag: value for flag, value in given.items() if flag not in (*secret, *_ONCE)}
    return RecordedCommand(
        name=name, flags=kept, directory=directory, left_out=(*variables, *map(option_of, secret))
    )


def to_be_kept(command: RecordedCommand) -> RecordedCommand:
    """The command as a state file keeps it."""
    of_a_person = [flag for flag in command.flags if flag in _OF_A_PERSON]
    dropped = (*of_a_person, *_OF_AN_ATTEMPT)
    kept = {flag: value for flag, value in command.flags.items() if flag not in dropped}
    left_out = (*command.left_out, *map(option_of, of_a_person))
    return replace(command, flags=kept, left_out=left_out)


def resume_line(command: RecordedCommand, *, here: str | None = None) -> str:
    """The command as a shell takes it, quoted.

    It begins with the way to its directory, unless who reads it is there: `here`, None where that
    is not known.
    """
    line = shlex.join(["dynaferry", *arguments_of(command)])
    if here is None or not command.directory or here == command.directory:
        return line
    return f"cd {shlex.quote(command.directory)} && {line}"


def resume_lines(command: RecordedCommand, *, here: str | None = None) -> list[str]:
    """The lines for people that say how a run is resumed, with the command on a line of its own."""
    lines = ["to resume:", f"  {resume_line(command, here=here)}"]
    more = what_to_add(command)
    return lines if more is None else [*lines, f"  {more}"]


def typed_again(command: RecordedCommand | None, *, here: str | None = None) -> dict[str, Any]:
    """What `Commands` says of resuming and of verifying: nothing where nobody knows the command."""
    if command is None:
        return {}
    verify = verify_command(command)
    return {
        "resume": resume_line(command, here=here),
        "resume_lacks": what_to_add(command),
        "verify": resume_line(verify, here=here),
        "verify_lacks": what_to_add(verify),
    }


def verify_command(command: RecordedCommand) -> RecordedCommand:
    """The command that compares what this one copies: its tables, its accounts, its run."""
    options = {option_of(flag) for flag in _OF_VERIFY}
    return RecordedCommand(
        name="verify",
        flags={flag: value for flag, value in command.flags.items() if flag in _OF_VERIFY},
        directory=command.directory,
        left_out=tuple(word for word in command.left_out if word in options or not is_option(word)),
    )


def what_to_add(command: RecordedCommand) -> str | None:
    """What has to be added to the command, since it is not kept; None for nothing."""
    if not command.left_out:
        return None
    ways = [
        f"{word} (or {variable_of(word)})" if is_option(word) else word for word in command.left_out
    ]
    return f"with {' and '.join(ways)} added, which is not kept"


def arguments_of(command: RecordedCommand) -> list[str]:
    """The words of the command line behind `dynaferry`."""
    flags = dict(command.flags)
    tables = [str(flags.pop(name)) for name in _POSITIONAL if name in flags]
    options = [word for flag, value in flags.items() for word in _words(flag, value)]
    if any(table.startswith("-") for table in tables):
        return [command.name, *options, "--", *tables]
    return [command.name, *tables, *options]


def option_of(flag: str) -> str:
    """The option as it is typed: `max_read_units` is `--max-read-units`."""
    return f"--{flag.replace('_', '-')}"


def is_option(word: str) -> bool:
    """Whether what was left out is an option, and not a variable alone."""
    return word.startswith("--")


def variable_of(word: str) -> str:
    """The environment variable that gives what was left out: an option's, or that variable."""
    if not is_option(word):
        return word
    return f"DYNAFERRY_{word.removeprefix('--').replace('-', '_').upper()}"


def current_directory() -> str:
    """Where relative paths begin in this process; "" where the directory is gone."""
    try:
        return str(Path.cwd())
    except OSError:
        return ""


def _words(flag: str, value: object) -> list[str]:
    option = option_of(flag)
    if value is True:
        return [option]
    if value is False:
        return [f"--no-{option.removeprefix('--')}"]
    if isinstance(value, list | tuple):
        return [word for each in value for word in (option, str(each))]
    if isinstance(value, float) and value.is_integer():
        return [option, str(int(value))]
    return [option, str(value)]


def _has_secret(flag: str, value: object) -> bool:
    """Whether it is a secret, or a URL with a password or a token in it.

    The path of a gateway may be its token.
    """
    if flag in SECRET_FLAGS:
        return True
    if not isinstance(value, str) or "://" not in value:
        return False
    try:
        parts = urlsplit(value)
    except ValueError:
        return True
    has_path = flag == "metrics_push" and parts.path not in ("", "/")
    return has_path or "@" in parts.netloc or bool(parts.query or parts.fragment)
