import pytest
from aiohttp import InvalidURL
from botocore.exceptions import ClientError
from yarl import URL

from dynaferry.dynamodb.account.redaction import HIDDEN, Redactor

TOKEN = "IQoJ/b3Jp+Z2lu=="


def secrets() -> Redactor:
    known = Redactor("an external id")
    known.note(("ASIAKEY", "secret-key", TOKEN))
    return known


def test_a_secret_is_hidden_as_it_is_and_as_a_url_or_json_writes_it() -> None:
    text = f"{TOKEN} IQoJ%2Fb3Jp%2BZ2lu%3D%3D IQoJ\\/b3Jp+Z2lu== an external id an%20external%20id"
    assert secrets().hide(text) == " ".join([HIDDEN] * 5)


def test_what_is_no_secret_is_left_as_it_is() -> None:
    text = "the item {'pk': 'ASIAK'} of an external table"
    assert secrets().hide(text) == text


def test_the_sessions_of_late_are_hidden_and_older_ones_forgotten() -> None:
    known = Redactor()
    for number in range(5):
        known.note((f"KEY{number}", None, f"token-{number}"))
        known.note((f"KEY{number}", None, f"token-{number}"))
    assert known.hide("token-4 token-3 token-2") == f"{HIDDEN} {HIDDEN} {HIDDEN}"
    assert known.hide("token-0") == "token-0"


def test_an_error_is_cleaned_with_all_that_led_to_it() -> None:
    answer = {"Error": {"Code": "ValidationError", "Message": "Value 'an external id' is bad"}}
    cause, error = ClientError(answer, "AssumeRole"), RuntimeError(f"with {TOKEN}", 7)
    error.__cause__ = cause
    cause.__context__ = error  # a circle, as retries make it
    secrets().hide_in_error(error)
    assert str(error) == str(RuntimeError(f"with {HIDDEN}", 7))
    assert "an external id" not in f"{cause} {cause.response}"
    assert HIDDEN in str(cause)


def test_an_external_id_within_a_token_leaves_nothing_of_either() -> None:
    known = Redactor("ab")
    known.note(("KEY", None, "xxabxx"))
    assert known.hide("xxabxx") == HIDDEN


@pytest.mark.parametrize("address", [f"http://u:{TOKEN}@h", URL("http://u:secret-key@h")])
def test_an_error_that_makes_its_words_out_of_an_address_is_cleaned_too(address: str | URL) -> None:
    error = InvalidURL(address, "not an address")
    secrets().hide_in_error(error)
    assert str(error) == f"http://u:{HIDDEN}@h - not an address"
