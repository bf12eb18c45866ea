"""Keys: read from items in wire form, and from nothing else of them."""

import base64
import json
import keyword
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from dynaferry.dynamodb.items.keys import KeyReader

_names = (
    st.text(
        st.characters(codec="utf-8", exclude_characters='"\\', min_codepoint=32),
        min_size=1,
        max_size=20,
    )
    | st.sampled_from(keyword.kwlist)
    | st.sampled_from(
        ["key_0", "key_1", "Key", "S", "N", "B", "self", "__init__", "type", "pk", " pk ", " "]
    )
)
_values = (
    st.text(st.characters(codec="utf-8"), max_size=30).map(lambda text: {"S": text})
    | st.integers(-(10**38) + 1, 10**38 - 1).map(lambda number: {"N": str(number)})
    | st.binary(max_size=30).map(lambda b: {"B": base64.b64encode(b).decode()})
)
_other = st.recursive(
    _values | st.sampled_from([{"BOOL": True}, {"NULL": True}, {"SS": ["a"]}, {"FUTURE": 1.5}]),
    lambda inner: (
        st.lists(inner, max_size=2).map(lambda elements: {"L": elements})
        | st.dictionaries(_names, inner, max_size=2).map(lambda fields: {"M": fields})
    ),
    max_leaves=4,
)
_attributes = st.dictionaries(_names, _other, max_size=4)


def _client(item: dict[str, Any], **style: Any) -> Raw:
    return Raw(json.dumps(item, **style).encode())


def _prefixes(name: str) -> list[str]:
    """Names that a careless reader would take for this one."""
    return [name[:-1], name + name, name + "0", name.swapcase(), name.strip(), f" {name} "]


@given(st.lists(_names, min_size=1, max_size=2, unique=True), st.data())
def test_a_key_is_found_under_any_name_and_beside_any_attributes(
    names: list[str], data: st.DataObject
) -> None:
    key = {name: data.draw(_values) for name in names}
    beside = {name: {"S": "no key"} for key_name in names for name in _prefixes(key_name)}
    item = {**data.draw(_attributes), **beside, **key}
    shuffled = {name: item[name] for name in data.draw(st.permutations(list(item)))}
    reader = KeyReader(names)
    assert json.loads(reader.wire_key(_client(shuffled))) == key
    assert list(json.loads(reader.wire_key(_client(shuffled)))) == names
    assert reader.identity(_client(shuffled)) == reader.identity(_client(key))
    assert hash(reader.identity(_client(shuffled))) == hash(reader.identity(_client(key)))


@pytest.mark.parametrize("name", ['quo"te', "back\\slash", "tab\t", "\x00"])
def test_a_key_is_found_under_a_name_that_json_escapes(name: str) -> None:
    item = _client({"other": {"S": "x"}, name: {"S": "value"}})
    assert json.loads(KeyReader([name]).wire_key(item)) == {name: {"S": "value"}}


@given(st.lists(_names, min_size=1, max_size=2, unique=True), _attributes)
def test_an_item_without_a_key_attribute_is_refused(
    names: list[str], attributes: dict[str, Any]
) -> None:
    item = {name: value for name, value in attributes.items() if name != names[-1]}
    reader = KeyReader(names)
    for read in (reader.wire_key, reader.identity):
        with pytest.raises(msgspec.MsgspecError):
            read(_client(item))


@given(st.tuples(_values, _values), st.tuples(_values, _values))
def test_keys_are_equal_when_and_only_when_their_values_are(
    one: tuple[dict[str, str], dict[str, str]], two: tuple[dict[str, str], dict[str, str]]
) -> None:
    reader = KeyReader(["pk", "sk"])

    def identity(values: tuple[dict[str, str], dict[str, str]]) -> object:
        return reader.identity(_client(dict(zip(("pk", "sk"), values, strict=True))))

    assert (identity(one) == identity(two)) == (one == two)
    assert (identity(one) == identity(one[::-1])) == (one[0] == one[1])


@pytest.mark.parametrize(
    ("one", "two"),
    [("1", "1.0"), ("1", "1E+0"), ("100", "1e2"), ("-0", "0"), ("0.10", ".1"), ("1", "+1")],
)
def test_a_number_is_the_same_key_in_every_notation(one: str, two: str) -> None:
    reader = KeyReader(["pk"])
    identities = [reader.identity(_client({"pk": {"N": number}})) for number in (one, two)]
    assert identities[0] == identities[1]
    assert hash(identities[0]) == hash(identities[1])


def test_a_text_is_not_a_number() -> None:
    reader = KeyReader(["pk"])
    texts = [reader.identity(_client({"pk": {"S": text}})) for text in ("1", "1.0")]
    number = reader.identity(_client({"pk": {"N": "1"}}))
    assert len({*texts, number}) == 3


def test_a_number_that_is_none_is_compared_as_it_is_written() -> None:
    reader = KeyReader(["pk"])
    first, second, other = (
        reader.identity(_client({"pk": {"N": number}})) for number in ("one", "one", "two")
    )
    assert first == second != other


def test_escapes_and_spaces_do_not_make_another_key() -> None:
    reader = KeyReader(["é"])
    plain = _client({"é": {"S": "😀 \n"}}, ensure_ascii=False)
    escaped = _client({"é": {"S": "😀 \n"}}, ensure_ascii=True, indent=4)
    assert bytes(plain) != bytes(escaped)
    assert reader.identity(plain) == reader.identity(escaped)
    assert reader.wire_key(plain) == reader.wire_key(escaped)


def test_the_key_in_wire_form_keeps_the_notation_of_its_number() -> None:
    key = KeyReader(["pk"]).wire_key(Raw(b'{"x":{"S":"y"},"pk":{"N":"1.50"}}'))
    assert key == b'{"pk":{"N":"1.50"}}'


@pytest.mark.parametrize("item", [b"", b"{", b"[]", b"null", b'{"pk":7}', b'{"pk":{"S":7}}'])
def test_what_is_not_an_item_is_refused(item: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        KeyReader(["pk"]).wire_key(Raw(item))


def test_a_key_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(msgspec.MsgspecError):
        KeyReader(["pk"]).wire_key(Raw(b'{"pk":{"S":"\xff"}}'))
