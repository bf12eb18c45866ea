import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynaferry.dynamodb.items.canonical import canonical


def same(one: str, other: str) -> bool:
    return canonical(one.encode()) == canonical(other.encode())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a":{"S":"x"},"b":{"BOOL":true}}', '{ "b": {"BOOL": true}, "a": {"S": "x"} }'),
        ('{"a":{"S":"\\u00e9"}}', '{"a":{"S":"é"}}'),
        ('{"n":{"N":"1"}}', '{"n":{"N":"1.00"}}'),
        ('{"n":{"N":"100"}}', '{"n":{"N":"1E+2"}}'),
        ('{"n":{"N":"-0"}}', '{"n":{"N":"0"}}'),
        ('{"s":{"SS":["a","b"]}}', '{"s":{"SS":["b","a"]}}'),
        ('{"s":{"NS":["1","2"]}}', '{"s":{"NS":["2.0","1"]}}'),
        ('{"s":{"BS":["AA==","/w=="]}}', '{"s":{"BS":["/w==","AA=="]}}'),
        (
            '{"m":{"M":{"x":{"L":[{"N":"1"}]},"y":{"NULL":true}}}}',
            '{"m":{"M":{"y":{"NULL":true},"x":{"L":[{"N":"1.0"}]}}}}',
        ),
        ('{"z":{"Z9":{"a":1,"b":2}}}', '{"z":{"Z9":{"b":2,"a":1}}}'),
    ],
)
def test_order_and_notation_make_no_other_item(one: str, other: str) -> None:
    assert same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"a":{"S":"1"}}', '{"a":{"N":"1"}}'),
        ('{"a":{"S":"x"}}', '{"a":{"S":"x"},"b":{"S":""}}'),
        ('{"a":{"L":[{"S":"x"},{"S":"y"}]}}', '{"a":{"L":[{"S":"y"},{"S":"x"}]}}'),
        ('{"a":{"SS":["1"]}}', '{"a":{"NS":["1"]}}'),
        ('{"a":{"BOOL":true}}', '{"a":{"BOOL":false}}'),
        (
            '{"n":{"N":"12345678901234567890123456789012345678"}}',
            '{"n":{"N":"12345678901234567890123456789012345679"}}',
        ),
        ('{"n":{"N":"1"}}', '{"n":{"N":"one"}}'),
        ('{"a":{"S":"x"}}', "not JSON"),
        ('{"a":{"S":"x"}}', '{"a":7}'),
    ],
)
def test_another_value_or_type_is_another_item(one: str, other: str) -> None:
    assert not same(one, other)
    assert not same(other, one)


values = st.recursive(
    st.one_of(
        st.builds(lambda text: {"S": text}, st.text()),
        st.builds(lambda number: {"N": str(number)}, st.integers()),
        st.builds(lambda truth: {"BOOL": truth}, st.booleans()),
    ),
    lambda inner: st.one_of(
        st.builds(lambda elements: {"L": elements}, st.lists(inner, max_size=4)),
        st.builds(lambda entries: {"M": entries}, st.dictionaries(st.text(), inner, max_size=4)),
    ),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), values, max_size=5))
def test_an_item_is_itself_however_its_attributes_are_ordered(item: dict[str, object]) -> None:
    turned = dict(reversed(item.items()))
    assert same(json.dumps(item), json.dumps(turned))


@given(st.dictionaries(st.text(), values, min_size=1, max_size=5), st.data())
def test_an_item_with_an_attribute_less_is_another(
    item: dict[str, object], data: st.DataObject
) -> None:
    left_out = data.draw(st.sampled_from(sorted(item)))
    less = {name: value for name, value in item.items() if name != left_out}
    assert not same(json.dumps(item), json.dumps(less))
