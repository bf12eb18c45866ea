"""Why a request was refused: one tree of causes, each with one hint. Pure.

A refusal's code says that it is one, its words say why. IAM names the kind of policy and whether it
denies expressly or only does not allow [IAM: "Troubleshoot access denied error messages"]; each
kind is kept by somebody else, so each has a hint of its own. Where no policy is named, the code
decides: credentials that have ended are not mended like a secret key with a character too many.
"""

import re
from collections.abc import Callable
from typing import Final

from msgspec import Struct

DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "NotAuthorized"})
EXPIRED_CREDENTIALS: Final = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "UnrecognizedClientException"}
)
REFUSED_SIGNATURES: Final = frozenset(
    {"InvalidSignatureException", "SignatureDoesNotMatch", "RequestTimeTooSkewed"}
)


class Refusal(Struct, frozen=True, kw_only=True):
    """What was refused: `who` was refused `operation`, with this code and these words."""

    code: str
    message: str
    operation: str
    who: str


# Where each kind of policy lies, and who keeps it.
_POLICIES: Final = {
    "service control policy": "the service control policies of the organization, which its"
    " administrators keep",
    "resource control policy": "the resource control policies of the organization, which its"
    " administrators keep",
    "vpc endpoint policy": "the endpoint policy of the VPC endpoint that this machine goes through",
    "permissions boundary": "the permissions boundary of {who}",
    "session policy": "the session policy that the session of {who} was made with",
    "role trust policy": "the trust policy of the role",
    "resource-based policy": "the resource-based policy of the table",
    "identity-based policy": "the identity-based policies of {who}",
}
_NAMED_POLICY = re.compile(
    r"with an? explicit deny in an? (?P<denies>[\w -]*?polic(?:y|ies)|permissions boundary)"
    r"|because no (?P<lacks>[\w -]*?policy|permissions boundary) allows",
    re.IGNORECASE,
)
# What the service says for its KMS: "KMS key access denied error: …AWSKMSException: The ciphertext
# refers to a customer master key that does not exist, …" (aws-cdk#10010, aws-cdk#18616).
_KEY_DENIED = re.compile(r"KMS key access denied|AWSKMS|The ciphertext refers to", re.IGNORECASE)
_MISSING_ACTION = re.compile(r"not authorized to perform: (\w+:\w+)")

# By the code alone.
_HINTS: Final[dict[str, str]] = {
    **dict.fromkeys(
        EXPIRED_CREDENTIALS,
        "{credentials} have ended, or this machine's clock is wrong: log in again or set"
        " new ones, then run the command again",
    ),
    "UnrecognizedClientException": "check {credentials}: the access key is deleted,"
    " switched off or of another partition, or the session token does not belong to it",
    "InvalidClientTokenId": "check {credentials}: there is no such access key",
    **dict.fromkeys(
        REFUSED_SIGNATURES,
        "check {credentials}, the secret access key first, and this machine's clock",
    ),
    "RequestTimeTooSkewed": "set this machine's clock; {credentials} are not the cause",
    **dict.fromkeys(
        (
            "IncompleteSignature",
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
        ),
        "look whether a proxy takes headers out of requests; if none does, check {credentials}",
    ),
    "OptInRequired": "the account of {who} is not signed up for this service or Region",
    "RegionDisabledException": "activate STS for this Region in the account of {who}",
    **dict.fromkeys(
        ("InvalidIdentityToken", "IDPRejectedClaim"),
        "the token of the web identity is not accepted: check who issued it, for which audience,"
        " and whether it has ended",
    ),
    **dict.fromkeys(
        ("ForbiddenException", "UnauthorizedException"),
        "check sso_account_id and sso_role_name of {who}: this role is not given to the person who"
        " is logged in",
    ),
}
REFUSALS: Final = DENIED | frozenset(_HINTS)


def hint_for(refusal: Refusal) -> str:
    """What to do about it."""
    if refusal.code not in DENIED:
        return _HINTS[refusal.code].format(who=refusal.who, credentials=_credentials(refusal.who))
    if _KEY_DENIED.search(refusal.message):
        return (
            f"allow kms:Decrypt on the table's customer managed key to {refusal.who}, in its own"
            " policies and in the policy of the key, then run the command again; a stream has the"
            " key of its table"
        )
    action = _action(refusal)
    named = _NAMED_POLICY.search(refusal.message)
    if named is not None:
        expressly = named["denies"] is not None
        return _policy_hint(named["denies"] or named["lacks"], action, refusal.who, expressly)
    for operations, hint in _UNNAMED.items():
        if refusal.operation in operations:
            return hint(action, refusal.who)
    return f"allow {action} on this resource to {refusal.who}, then run the command again"


def _credentials(who: str) -> str:
    return who if who.startswith("the credentials") else f"the credentials of {who}"


def _action(refusal: Refusal) -> str:
    """The action that the service names: CreateTable with tags may miss dynamodb:TagResource."""
    found = _MISSING_ACTION.search(refusal.message)
    if found is not None:
        return found[1]
    service = "sts" if refusal.operation.startswith("AssumeRole") else "dynamodb"
    return f"{service}:{refusal.operation}"


def _policy_hint(kind: str, action: str, who: str, expressly: bool) -> str:
    plain = kind.lower().replace("policies", "policy").removeprefix("amazon ")
    place = _POLICIES.get(plain, f"the {kind}").format(who=who)
    if expressly:
        return (
            f"{action} is denied by an explicit deny in {place}: it has to be taken out there,"
            " since nothing that allows outweighs it"
        )
    return f"allow {action} in {place}, then run the command again"


def _not_assumed(_: str, who: str) -> str:
    return (
        "the role's trust policy must name the caller and the external id must match; "
        f"the caller, {who}, needs sts:AssumeRole on the role"
    )


def _not_assumed_by_token(_: str, who: str) -> str:
    return (
        "the role's trust policy must name the provider of the token, its audience and its subject;"
        f" the token is that of {who}"
    )


_UNNAMED: Final[dict[tuple[str, ...], Callable[[str, str], str]]] = {
    ("AssumeRole",): _not_assumed,
    ("AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"): _not_assumed_by_token,
}
