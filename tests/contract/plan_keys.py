"""The keys of a plan file by their tables, read from the structure that the plan is read into."""

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

import msgspec

import dynaferry
from tests.contract.world import ENDPOINT
from tests.worlds.moto import SOURCE_ACCOUNT_ID, TARGET_ROLE_ARN

TOP: Final = "at the top"

# A plan that uses each key; profiles are of the file that PROFILES is.
PLAN: Final = f"""\
run = "everything"
sts_endpoint_url = "{ENDPOINT}"
segments = 8
readers = 2
writers = 2
max_read_units = 1000.5
max_write_units = 1000
tables_at_once = 1
consistent_read = true
create_target = true
warm_target = 5000
allow_non_empty_target = true
state_dir = "state"
restart = true
fail_fast = true
only = ["orders"]
skip = []
restart_table = []
compress = "off"
on_reject = "stop"
max_rejected = 7
patience_seconds = 60.5
price_per_million_writes = 0.7
price_per_million_reads = 0.1
without_stream = false
enable_stream = true
spool_max_bytes = 1000000
way_back = "keep"
exclude = []

[source]
region = "us-east-1"
profile = "old"
role_arn = "arn:aws:iam::{SOURCE_ACCOUNT_ID}:role/dynaferry-source"
external_id = "dynaferry-tests"
endpoint_url = "{ENDPOINT}"
streams_endpoint_url = "{ENDPOINT}"

[target]
region = "us-east-1"
profile = "new"
role_arn = "{TARGET_ROLE_ARN}"
external_id = "dynaferry-tests"
endpoint_url = "{ENDPOINT}"
streams_endpoint_url = "{ENDPOINT}"

[[tables]]
source = "orders"
target = "orders"
segments = 4
max_read_units = 500
max_write_units = 500
exclude = []

[limits]
time_zone = "Europe/Berlin"

[[limits.schedule]]
hours = "22:00-06:00"
weekdays = ["sat", "sun"]
max_read_units = 100
max_write_units = "none"
"""
PROFILES: Final = """\
[profile old]
region = us-east-1
aws_access_key_id = testing
aws_secret_access_key = testing
[profile new]
region = us-east-1
aws_access_key_id = testing
aws_secret_access_key = testing
"""
# Where an unknown key is put into PLAN: behind the heading of each table.
HEADINGS: Final = {
    TOP: "",
    "source": "[source]\n",
    "target": "[target]\n",
    "tables[]": "[[tables]]\n",
    "limits": "[limits]\n",
    "limits.schedule[]": "[[limits.schedule]]\n",
}


def declared() -> dict[str, dict[str, Any]]:
    """Every key with its JSON schema (type, bounds, words) and its default."""
    return dict(_declared(TOP, dynaferry.CopyPlan))


def _declared(place: str, table: type[msgspec.Struct]) -> Iterator[tuple[str, dict[str, Any]]]:
    keys = {}
    for field in msgspec.structs.fields(table):
        path = field.encode_name if place == TOP else f"{place}.{field.encode_name}"
        below = _table_in(field.type)
        if below is not None:
            yield from _declared(path if below is field.type else f"{path}[]", below)
        else:
            keys[field.encode_name] = _schema(field.type) | _default(field)
    yield place, keys


def _table_in(kind: Any) -> type[msgspec.Struct] | None:
    """The table that a field is, or is a list of."""
    for found in (kind, *get_args(kind)[:1]):
        if isinstance(found, type) and issubclass(found, msgspec.Struct):
            return found
    return None


def _schema(kind: Any) -> dict[str, Any]:
    return msgspec.json.schema(kind, schema_hook=lambda _: {"type": "string"})


def _default(field: msgspec.structs.FieldInfo) -> dict[str, Any]:
    if field.required:
        return {"required": True}
    return {"default": msgspec.json.decode(msgspec.json.encode(field.default, enc_hook=str))}


def used() -> dict[str, set[str]]:
    """The keys that PLAN uses, by table."""
    return dict(_used(TOP, tomllib.loads(PLAN)))


def _used(place: str, table: Mapping[str, Any]) -> Iterator[tuple[str, set[str]]]:
    keys = set()
    for key, value in table.items():
        path = key if place == TOP else f"{place}.{key}"
        if isinstance(value, dict):
            yield from _used(path, value)
        elif value and isinstance(value, list) and isinstance(value[0], dict):
            yield from _used(f"{path}[]", value[0])
        else:
            keys.add(key)
    yield place, keys
