"""Each cause of a refusal has one hint, and the service's words decide which."""

import pytest

from dynaferry.dynamodb.error_causes import REFUSALS, Refusal, hint_for

WHO = "profile dev"
ME = "User: arn:aws:sts::111111111111:assumed-role/dev/me is not authorized to perform: {action} on"
POLICIES = {
    "service control policy": "organization",
    "resource control policy": "resource control",
    "VPC endpoint policy": "VPC endpoint",
    "permissions boundary": f"permissions boundary of {WHO}",
    "session policy": "session policy",
    "resource-based policy": "resource-based policy of the table",
    "identity-based policy": f"identity-based policies of {WHO}",
    "role trust policy": "trust policy of the role",
}


def hint(words: str, *, operation: str = "Scan", code: str = "AccessDeniedException") -> str:
    return hint_for(Refusal(code=code, message=words, operation=operation, who=WHO))


@pytest.mark.parametrize(("policy", "place"), POLICIES.items())
@pytest.mark.parametrize("action", ["dynamodb:Scan", "kms:Decrypt", "sts:AssumeRole"])
def test_a_policy_that_is_named_is_what_the_hint_speaks_of(
    policy: str, place: str, action: str
) -> None:
    words = f"{ME.format(action=action)} resource: arn:aws:dynamodb:us-east-1:1:table/orders"
    denies = hint(
        f"{words} with an explicit deny in a {policy}: arn:aws:organizations::1:policy/p-1"
    )
    lacks = hint(f"{words} because no {policy} allows the {action} action")
    for told in (denies, lacks):
        assert place in told
        assert action in told
    assert "explicit deny" in denies
    assert lacks.startswith("allow ")


def test_a_kind_of_policy_that_is_not_known_is_named_all_the_same() -> None:
    assert "the odd new policy" in hint("with an explicit deny in an odd new policy")


def test_every_cause_has_a_hint_of_its_own() -> None:
    kinds = [f"with an explicit deny in a {policy}" for policy in POLICIES]
    kinds += [f"because no {policy} allows the dynamodb:Scan action" for policy in POLICIES]
    hints = [hint(words) for words in ["", *kinds]]
    assert len(set(hints)) == len(hints)
    assert len({hint("", code=code) for code in REFUSALS}) >= 10


@pytest.mark.parametrize("operation", ["Scan", "GetRecords", "BatchWriteItem"])
def test_a_key_that_may_not_be_used_is_told_apart_from_the_table_that_may(operation: str) -> None:
    # As the service words it (aws-cdk#10010).
    words = (
        "KMS key access denied error: com.amazonaws.services.kms.model.AWSKMSException: The"
        " ciphertext refers to a customer master key that does not exist, does not exist in this"
        " region, or you are not allowed to access. (Service: AWSKMS; Status Code: 400;"
        " Error Code: AccessDeniedException)"
    )
    told = hint(words, operation=operation)
    assert "kms:Decrypt" in told
    assert "policy of the key" in told
    assert f"dynamodb:{operation}" not in told


@pytest.mark.parametrize("operation", ["AssumeRole", "AssumeRoleWithWebIdentity"])
def test_a_role_that_is_refused_without_a_reason_points_at_its_trust_policy(operation: str) -> None:
    told = hint("Not authorized", operation=operation, code="AccessDenied")
    assert "trust policy" in told
    assert "dynamodb:" not in told


def test_words_in_a_message_do_not_make_a_hint_up() -> None:
    told = hint("{who} {0} because no {x} allows")
    assert told == f"allow dynamodb:Scan on this resource to {WHO}, then run the command again"
