import base64
import json
import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec import Raw

from dynaferry.dynamodb.items import canonical as module
from dynaferry.dynamodb.items.canonical import canonical, differing_attributes, digest_of

numbers = st.decimals(allow_nan=False, allow_infinity=False).filter(
    lambda number: abs(number.adjusted()) < 120 and len(number.as_tuple().digits) < 38
)
texts = st.text(max_size=8)


def plain(number: Decimal) -> str:
    return format(number, "f")


def base64_text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


scalars = st.one_of(
    texts.map(lambda text: {"S": text}),
    numbers.map(lambda number: {"N": plain(number)}),
    st.binary(max_size=8).map(lambda raw: {"B": base64_text(raw)}),
    st.booleans().map(lambda flag: {"BOOL": flag}),
    st.just({"NULL": True}),
)
sets = st.one_of(
    st.sets(texts, min_size=1, max_size=4).map(lambda all_: {"SS": list(all_)}),
    st.sets(numbers, min_size=1, max_size=4).map(lambda all_: {"NS": [*map(plain, all_)]}),
    st.sets(st.binary(max_size=4), min_size=1, max_size=4).map(
        lambda all_: {"BS": [*map(base64_text, all_)]}
    ),
)
values: st.SearchStrategy[Any] = st.recursive(
    scalars | sets,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda all_: {"L": all_}),
        st.dictionaries(texts, inner, max_size=3).map(lambda all_: {"M": all_}),
    ),
    max_leaves=8,
)
items = st.dictionaries(texts, values, max_size=4)


def other_notation(text: str, pick: random.Random) -> str:
    """The same number, written in another way."""
    number = Decimal(text)
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    minus, coefficient, full = "-" if sign else "", "".join(map(str, digits)), plain(number)
    return pick.choice(
        [
            text,
            f"{minus}{coefficient}E{exponent}",
            f"{minus}00{coefficient}e{exponent:+d}",
            f"{minus}{coefficient}000E{exponent - 3}",
            full + ("000" if "." in full else ".0"),
        ]
    )


def shuffled(value: Any, pick: random.Random) -> Any:
    """The same value, with everything that has no order in another one."""
    ((type_name, content),) = value.items()
    match type_name:
        case "N":
            content = other_notation(content, pick)
        case "NS":
            content = pick.sample([other_notation(one, pick) for one in content], len(content))
        case "SS" | "BS":
            content = pick.sample(content, len(content))
        case "L":
            content = [shuffled(one, pick) for one in content]
        case "M":
            content = shuffled_map(content, pick)
    return {type_name: content}


def shuffled_map(attributes: dict[str, Any], pick: random.Random) -> dict[str, Any]:
    names = pick.sample(list(attributes), len(attributes))
    return {name: shuffled(attributes[name], pick) for name in names}


def wire(value: Any, pick: random.Random | None = None) -> bytes:
    separators = pick.choice([(",", ":"), (", ", ": ")]) if pick else (",", ":")
    escapes = pick.choice([True, False]) if pick else False
    return json.dumps(value, separators=separators, ensure_ascii=escapes).encode()


def meaning(value: Any) -> Any:
    """What a value means, worked out slowly and apart from the code under test."""
    ((type_name, content),) = value.items()
    match type_name:
        case "N":
            return type_name, Decimal(content)
        case "NS":
            return type_name, frozenset(map(Decimal, content))
        case "SS" | "BS":
            return type_name, frozenset(content)
        case "L":
            return type_name, tuple(meaning(one) for one in content)
        case "M":
            return type_name, frozenset((name, meaning(one)) for name, one in content.items())
    return type_name, content


@given(items, st.randoms(use_true_random=False))
def test_one_item_has_one_form_however_it_is_written(
    attributes: dict[str, Any], pick: random.Random
) -> None:
    one = wire(attributes)
    other = wire(shuffled_map(attributes, pick), pick)
    assert canonical(one) == canonical(other)
    assert digest_of(Raw(one)) == digest_of(other)


@given(items, items)
def test_different_items_have_different_forms(one: dict[str, Any], other: dict[str, Any]) -> None:
    assume(meaning({"M": one}) != meaning({"M": other}))
    assert canonical(wire(one)) != canonical(wire(other))
    assert digest_of(wire(one)) != digest_of(wire(other))


@given(items)
def test_the_fast_way_and_the_slow_way_lead_to_one_form(attributes: dict[str, Any]) -> None:
    slow = module._encode(module._in_order("M", attributes))
    assert canonical(wire(attributes)) == slow


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ("1", "1.0"),
        ("1", "1E0"),
        ("1", "+1"),
        ("0", "-0"),
        ("0", "0.000"),
        ("0", "0E10"),
        ("100", "1E2"),
        ("0.5", ".5"),
        ("0.5", "0.50"),
        ("-1.5", "-15e-1"),
        ("7", "007"),
        ("12345678901234567890123456789012345678", "1.2345678901234567890123456789012345678E37"),
        ("0." + "0" * 129 + "1", "1E-130"),
        ("9" * 38 + "0" * 88, "9." + "9" * 37 + "E125"),
    ],
)
def test_a_number_is_its_value(one: str, same: str) -> None:
    assert canonical(wire({"n": {"N": one}})) == canonical(wire({"n": {"N": same}}))
    assert canonical(wire({"n": {"NS": [one]}})) == canonical(wire({"n": {"NS": [same]}}))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"N": "1"}, {"S": "1"}),
        ({"N": "1"}, {"N": "10"}),
        ({"N": "12345678901234567890123456789012345678"}, {"N": "1234567890123456789" * 2}),
        ({"N": "0.1"}, {"N": "0.10000000000000000000000000000000000001"}),
        ({"S": "a"}, {"B": "a"}),
        ({"SS": ["a", "b"]}, {"L": [{"S": "a"}, {"S": "b"}]}),
        ({"L": [{"S": "a"}, {"S": "b"}]}, {"L": [{"S": "b"}, {"S": "a"}]}),
        ({"SS": ["a", "b"]}, {"SS": ["a"]}),
        ({"NULL": True}, {"BOOL": True}),
        ({"M": {}}, {"L": []}),
        ({"S": ""}, {"B": ""}),
        ({"N": "1E999999999999999999999"}, {"N": "1E999999999999999999998"}),
        ({"S": None}, {}),
        ({"later": {"a": 1}}, {"later": {"a": 2}}),
    ],
)
def test_values_that_look_alike_are_not_the_same(one: object, other: object) -> None:
    assert canonical(wire({"a": one})) != canonical(wire({"a": other}))


def test_a_type_that_is_not_known_is_put_in_order_and_otherwise_kept() -> None:
    one = b'{"a":{"later":{"x":[1,2],"y":1.5}},"n":{"N":"1.0"}}'
    same = b'{ "n":{"N":"1"}, "a":{"later":{"y":1.5,"x":[1,2]}} }'
    other = b'{"a":{"later":{"x":[2,1],"y":1.5}},"n":{"N":"1"}}'
    assert canonical(one) == canonical(same) != canonical(other)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b'{"a":{"S":"\\ud800"}}', b"[1]", b'"N":"1"'])
def test_what_is_no_item_has_a_form_of_its_own(text: bytes) -> None:
    assert canonical(text) not in {canonical(b"{}"), canonical(text + b" x")}


def test_binary_that_is_not_base64_is_kept_as_it_is() -> None:
    assert canonical(b'{"a":{"BS":["AA==","AB"]}}') == canonical(b'{"a":{"BS":["AB","AA=="]}}')
    assert canonical(b'{"a":{"B":"AB"}}') != canonical(b'{"a":{"B":"AA"}}')
    assert canonical(b'{"a":{"B":"AB=="}}') == canonical(b'{"a":{"B":"AA=="}}')  # the same byte


def test_attributes_that_differ_are_named_in_order() -> None:
    one = wire({"pk": {"S": "k"}, "b": {"N": "1"}, "gone": {"S": "x"}, "same": {"SS": ["a", "b"]}})
    other = wire({"same": {"SS": ["b", "a"]}, "b": {"N": "2"}, "new": {"S": ""}, "pk": {"S": "k"}})
    assert differing_attributes(one, other) == ("b", "gone", "new")
    assert differing_attributes(one, one) == ()
