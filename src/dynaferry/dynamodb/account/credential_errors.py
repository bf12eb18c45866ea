"""What is told where a side's own credentials cannot be had: by whom they are given, and why not.

None of it is an outage: what is missing, has ended or wants a person does not come by itself. So
all but a service that does not respond stops at once, with what to do about this very source.
"""

import os
import re
import shlex
from collections.abc import Mapping
from typing import Any, Final

from botocore.compat import compat_shell_split
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    InvalidConfigError,
    MetadataRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    RefreshWithMFAUnsupportedError,
)
from msgspec import Struct

from dynaferry.dynamodb.account.mfa import CodeWantedError
from dynaferry.dynamodb.environment.characters import fault_of
from dynaferry.dynamodb.failures.call_site import CallSite
from dynaferry.dynamodb.failures.service_errors import CALL_ERRORS, from_client_error, in_one_line
from dynaferry.errors import AccessDeniedError, DynaferryError, UnavailableError

# What comes of looking for credentials, or of renewing them. RuntimeError is botocore's for those
# that have ended already, EOFError that of a question to which nobody answers.
CREDENTIAL_ERRORS: Final = (*CALL_ERRORS, OSError, RuntimeError, EOFError, CodeWantedError)
WHAT_FAILS: Final = "resolving credentials"
_LOGGED_OUT: Final = frozenset(
    {
        "PendingAuthorizationExpiredError",
        "SSOError",
        "SSOTokenLoadError",
        "TokenRetrievalError",
        "UnauthorizedSSOTokenError",
    }
)
_REFUSED_BY_CONTAINER: Final = re.compile(r"non 200 response 4\d\d ")  # botocore's words
_FILES: Final = (FileNotFoundError, PermissionError, NotADirectoryError, IsADirectoryError)
_TOKEN_FILES: Final = {
    "AWS_WEB_IDENTITY_TOKEN_FILE": "the token of the web identity",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "the token of the container",
}
_CONTAINER_TOKEN: Final = "AWS_CONTAINER_AUTHORIZATION_TOKEN"  # noqa: S105  # its name
_ENVIRONMENTS: Final = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
_AGAIN: Final = "then run the command again"


class Origin(Struct, frozen=True, kw_only=True):
    """Where a side's own credentials come from, as it is configured.

    `who` is what people call them by; `chain` holds the profile and those that it leads to by
    source_profile, each with its settings.
    """

    side: str
    who: str
    chain: tuple[tuple[str, Mapping[str, Any]], ...] = ()

    def profile_with(self, *settings: str) -> str | None:
        """The first profile of the chain that has one of these settings."""
        for name, given in self.chain:
            if any(setting in given for setting in settings):
                return name
        return None

    def setting(self, name: str) -> str | None:
        """The first value that it has in the chain."""
        return next((str(given[name]) for _, given in self.chain if given.get(name)), None)

    @property
    def program(self) -> str | None:
        """The name of the credential_process; what follows it may be a secret."""
        command = self.setting("credential_process")
        if command is None:
            return None
        try:
            return str(compat_shell_split(command)[0])
        except (ValueError, IndexError):
            return command.split(" ", 1)[0]


def origin_of(session: Any, side: str, who: str) -> Origin:
    """Reads it off a botocore session."""
    if "profile" not in session.instance_variables() and os.environ.get("AWS_ACCESS_KEY_ID"):
        return Origin(side=side, who=who)  # the environment goes first
    profiles: Mapping[str, Mapping[str, Any]] = session.full_config.get("profiles", {})
    name: str | None = session.get_config_variable("profile") or "default"
    chain: list[tuple[str, Mapping[str, Any]]] = []
    while name is not None and name in profiles and name not in dict(chain):
        chain.append((name, profiles[name]))
        name = profiles[name].get("source_profile")
    return Origin(side=side, who=who, chain=tuple(chain))


def from_credentials_error(error: Exception, origin: Origin) -> DynaferryError:
    """The error for what was raised while credentials were looked for, or renewed."""
    if isinstance(error, ClientError | BotoCoreError):
        return _from_botocore(error, origin)
    if isinstance(error, CodeWantedError | EOFError):
        return _denied(
            origin,
            f"the MFA device {_device(origin)} is asked for a code, and there is no terminal to"
            " ask on",
            "run it on a terminal, or give credentials of a session that was started before:"
            " by `aws sts assume-role` with --token-code",
        )
    if isinstance(error, _FILES):
        return _from_file(error, origin)
    if isinstance(error, RuntimeError):
        return _denied(origin, "they have expired", _renew(origin))
    if isinstance(error, ValueError) and origin.program is not None:
        return _denied(
            origin,
            f"the credential_process {origin.program} printed something else than credentials:"
            f" {in_one_line(str(error))}",
            f"run it by itself and look what it prints, {_AGAIN}",
        )
    if isinstance(error, UnicodeDecodeError):
        return _not_utf_8(error, origin)
    if isinstance(error, ValueError):
        return _denied(origin, in_one_line(str(error)), _check(origin))
    return _general(error, origin)


def ended_already(site: CallSite) -> AccessDeniedError:
    """The error for a role's session that had ended when it was given."""
    return AccessDeniedError(
        f"{site.where('AssumeRole')}: the session that STS gave has ended already",
        hint="set this machine's clock: by it, the session ended before it was given",
        operation="AssumeRole",
    )


def _from_botocore(error: ClientError | BotoCoreError, origin: Origin) -> DynaferryError:
    login = origin.profile_with("login_session")
    if login is not None and isinstance(error, NoCredentialsError | InvalidConfigError):
        return _from_login(login, origin)
    if isinstance(error, HTTPClientError) and not _can_be_sent(os.environ.get(_CONTAINER_TOKEN)):
        return _denied(
            origin,
            f"the token of the container in {_CONTAINER_TOKEN} holds what cannot be sent",
            f"set it to the token as it was given, {_AGAIN}",
        )
    if isinstance(error, NoCredentialsError):
        return _none_there(origin)
    if isinstance(error, RefreshWithMFAUnsupportedError):
        return _denied(
            origin,
            "they have to be renewed, for which the MFA device"
            f" {_device(origin)} is asked for another code",
            "run the command again and type a new code; a longer duration_seconds in the profile"
            " has it asked less often",
        )
    if type(error).__name__ in _LOGGED_OUT:
        profile = origin.profile_with("sso_session", "sso_start_url")
        login = "aws sso login" if profile is None else f"aws sso login --profile {profile}"
        return _denied(origin, str(error), f"run {login}, then the same command again")
    if isinstance(error, PartialCredentialsError):
        return _denied(origin, str(error), f"set {error.kwargs['cred_var']} as well, {_AGAIN}")
    if isinstance(error, CredentialRetrievalError | MetadataRetrievalError):
        return _from_provider(error, origin)
    return _general(error, origin)


def _none_there(origin: Origin) -> DynaferryError:
    return AccessDeniedError(
        f"there are no credentials for the {origin.side} ({origin.who})",
        hint=f"set --{origin.side}-profile or the environment variables of the AWS CLI",
        operation=WHAT_FAILS,
    )


def _from_provider(
    error: CredentialRetrievalError | MetadataRetrievalError, origin: Origin
) -> DynaferryError:
    """What a program, a container's service or an instance's said instead of credentials."""
    hint = None
    if isinstance(error, CredentialRetrievalError):
        if not _may_pass(error):
            return _denied(origin, in_one_line(str(error)), _check(origin))
        hint = "look at the service that gives this container its credentials"
    return UnavailableError(
        f"the {origin.side}'s credentials ({origin.who}) cannot be had: {error}",
        hint=hint,
        operation=WHAT_FAILS,
    )


def _from_login(profile: str, origin: Origin) -> DynaferryError:
    """`aws login` keeps its sessions in a way that only newer AWS CLIs and SDKs read."""
    exported = f"aws configure export-credentials --profile {shlex.quote(profile)} --format"
    return _denied(
        origin,
        f"the profile {profile} logs in by `aws login` (login_session), which is not known here",
        f'let the AWS CLI give them: eval "$({exported} env)", or, renewed by themselves, from a'
        f" profile of its own with credential_process = {exported} process",
    )


def _can_be_sent(token: str | None) -> bool:
    return token is None or fault_of(token) is None


def _not_utf_8(error: UnicodeDecodeError, origin: Origin) -> DynaferryError:
    for variable, what in _TOKEN_FILES.items():
        path = os.environ.get(variable)
        if path:
            return _denied(
                origin,
                f"the file {path} with {what} is not text: {in_one_line(str(error))}",
                f"look what {variable} names, and what is in it",
            )
    return _denied(origin, in_one_line(str(error)), _check(origin))


def _may_pass(error: CredentialRetrievalError) -> bool:
    """Whether a container's service did not respond, or not now; what it refuses, it refuses."""
    if error.kwargs.get("provider") != "container-role":
        return False
    return _REFUSED_BY_CONTAINER.search(str(error)) is None


def _general(error: Exception, origin: Origin) -> DynaferryError:
    """What the service, or the network on the way to it, responded to whoever asked."""
    operation = getattr(error, "operation_name", None) or WHAT_FAILS
    return from_client_error(
        error, operation=operation, table=None, side=origin.side, acting_as=origin.who
    )


def _from_file(error: OSError, origin: Origin) -> DynaferryError:
    reason = error.strerror or str(error)
    name = None if error.filename is None else os.fsdecode(error.filename)
    if origin.program is not None and name in (None, origin.program):
        return _denied(
            origin,
            f"the credential_process {origin.program} cannot be run: {reason}",
            "install it, or write its whole path into ~/.aws/config",
        )
    holds = next(
        (what for variable, what in _TOKEN_FILES.items() if os.environ.get(variable) == name),
        "what they are made of",
    )
    return _denied(
        origin,
        f"the file {name} with {holds} cannot be read: {reason}",
        "check the path and its mount, and who may read it",
    )


def _renew(origin: Origin) -> str:
    if origin.program is not None:
        return f"log in with {origin.program}, whose credentials they are, {_AGAIN}"
    if origin.chain and origin.who.startswith("profile "):
        return f"renew the credentials of {origin.who}, {_AGAIN}"
    return f"set new ones: {_ENVIRONMENTS}, AWS_SESSION_TOKEN, AWS_CREDENTIAL_EXPIRATION; {_AGAIN}"


def _check(origin: Origin) -> str:
    if origin.program is not None:
        return f"run the credential_process {origin.program} by itself and fix what it says"
    return f"check the AWS configuration of {origin.who}"


def _device(origin: Origin) -> str:
    return origin.setting("mfa_serial") or "of the profile"


def _denied(origin: Origin, what: str, hint: str) -> AccessDeniedError:
    return AccessDeniedError(
        f"the {origin.side}'s credentials ({origin.who}) cannot be had: {what}",
        hint=hint,
        operation=WHAT_FAILS,
    )
