import json

import pytest
from msgspec.structs import replace

from dynaferry.dead_letters.export import export_line, list_line
from tests.state.contract import dead_letter

LETTER = dead_letter("a", segment=7, page=3, message='One or more "values" \n are invalid')


def test_an_exported_line_says_which_item_and_why() -> None:
    line = json.loads(export_line(LETTER, "orders"), parse_float=str, parse_int=str)
    assert line == {
        "table": "orders",
        "segment": "7",
        "key": {"pk": {"S": "a"}},
        "item": {"pk": {"S": "a"}, "n": {"N": "12345678901234567890123456789012345678"}},
        "error": {
            "code": "ValidationException",
            "message": 'One or more "values" \n are invalid',
        },
        "time": "2023-11-14T22:13:20Z",
    }


@pytest.mark.parametrize(
    "item",
    [
        b'{"n":{"N":"1.0000000000000000000000000000000000000"},"n":{"N":"2"}}',
        b'{"b":{"B":"AA=="},"s":{"S":"\\u0000\\ud83d\\udea2\\/"},"e":{"S":""}}',
        '{"ß": {"X9": [1.50, 1e400]} }'.encode(),
    ],
)
def test_an_item_is_exported_byte_for_byte(item: bytes) -> None:
    line = export_line(replace(LETTER, item=item), "orders")
    assert b'"item":' + item + b',"error"' in line


def test_a_letter_is_one_line_however_its_json_was_laid_out() -> None:
    letter = replace(LETTER, item=b'{\r\n  "pk": {"S": "a\\n"}\n}', key=b'{"pk":\n{"S":"a"}}')
    line = export_line(letter, "orders")
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert json.loads(line)["item"] == {"pk": {"S": "a\n"}}


def test_a_listed_line_is_short_and_leaves_the_item_out() -> None:
    assert list_line(LETTER, "orders") == (
        '2023-11-14T22:13:20Z  orders  segment 7  {"pk":{"S":"a"}}  '
        'ValidationException: One or more "values" are invalid'
    )


def test_a_listed_line_cannot_steer_a_terminal() -> None:
    letter = replace(LETTER, key=b'{"pk":{"S":"\xc2\x9b2J\xff"}}', error_message="\x1b[2J\u202ered")
    line = list_line(letter, "orders")
    assert line.isprintable()
    assert '{"pk":{"S":"\\x9b2J\ufffd"}}' in line


def test_long_keys_and_messages_are_shortened() -> None:
    letter = replace(LETTER, key=b'{"pk":{"S":"' + b"k" * 2048 + b'"}}', error_message="m" * 5000)
    line = list_line(letter, "orders")
    assert len(line) < 300
    assert line.count("…") == 2
