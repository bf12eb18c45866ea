from typing import Any

import pytest

from benchmarks.simulator.item_size import item_bytes


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "abc"}, 3),
        ({"S": "ключ"}, 8),
        ({"S": ""}, 0),
        ({"N": "0"}, 1),
        ({"N": "12345"}, 4),
        ({"N": "-12345"}, 5),
        ({"N": "1000000"}, 2),
        ({"N": "0.00001"}, 2),
        ({"N": "1.5E+20"}, 2),
        ({"B": "AAEC"}, 3),
        ({"B": "AA=="}, 1),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"SS": ["a", "bc"]}, 3),
        ({"NS": ["1", "234"]}, 2 + 3),
        ({"BS": ["AA==", "AAEC"]}, 4),
        ({"L": []}, 3),
        ({"L": [{"S": "abc"}, {"BOOL": False}]}, 3 + 1 + 3 + 1 + 1),
        ({"M": {"k": {"S": "abc"}}}, 3 + 1 + 1 + 3),
    ],
)
def test_an_item_is_its_names_and_its_values(value: dict[str, Any], size: int) -> None:
    assert item_bytes({"name": value}) == 4 + size
