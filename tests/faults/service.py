"""The service behind the endpoint: tables, accounts' credentials, a clock, and what is broken now.

It answers truly; what happens to an answer on its way is `weather.py`'s. What people break (a
policy, a table, a clock, a session) is a field here, and `mend` puts it right.
"""

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import msgspec

from benchmarks.simulator import requests as wire
from benchmarks.simulator.refusals import Reason, Refusal, RefusedError, invalid, no_such_table
from benchmarks.simulator.refusals import throttle as throttled
from tests.faults.stored import Position, StoredTable
from tests.worlds.endpoint import Answer, Request

SIGNATURE_SECONDS = 300.0  # how far off a request's date may be
SECOND = timedelta(seconds=1)
POISON = b"poison"  # an item with this in it is refused for its content
TWICE = b"comes twice"  # an item with this in it comes twice in its page
READS = frozenset(
    {
        "Scan",
        "DescribeTable",
        "DescribeTimeToLive",
        "DescribeContinuousBackups",
        "ListTagsOfResource",
    }
)


class Service:
    """Every table by its name, behind one address for both accounts and STS."""

    def __init__(self, tables: Iterable[StoredTable], *, seed: int = 0) -> None:
        self.tables = {table.name: table for table in tables}
        self.operations: Counter[tuple[str, str]] = Counter()  # (table, operation)
        # Every put that took effect, in order: where, and by the monotonic clock, when.
        self.puts: list[tuple[Position, float]] = []
        self.denied: set[str] = set()
        self.brown_out = False
        self.clock_offset_seconds = 0.0
        self.oldest_session = 0
        self.sessions_given = 0
        # Oddities of the service's own: keys in one notation, an item that no table could hold.
        self.normalizes_numbers = False
        self.also_in_a_page: bytes | None = None
        self._chance = random.Random(seed)
        self._operations: dict[str, Callable[[bytes], Any]] = {
            "Scan": self._scan,
            "BatchWriteItem": self._batch_write,
            "DescribeTable": self._describe_table,
            "DescribeTimeToLive": lambda _: {"TimeToLiveDescription": {}},
            "DescribeContinuousBackups": lambda _: {"ContinuousBackupsDescription": {}},
        }

    # What people break ---------------------------------------------------------------------------

    def end_sessions(self) -> None:
        """Calls every role session that was given so far expired."""
        self.oldest_session = self.sessions_given + 1

    def drop(self, table: str) -> None:
        """Deletes a table, with all that it holds."""
        del self.tables[table]

    def mend(self) -> None:
        """Puts right what people broke, but for a table that is gone."""
        self.denied.clear()
        self.brown_out = False
        self.clock_offset_seconds = 0.0
        for table in self.tables.values():
            table.status = "ACTIVE"

    # Answers -------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Answer:
        """The answer to one request, when it has taken effect."""
        operation = request.operation
        if operation == "AssumeRole":
            return self._assume_role()
        try:
            self._check(request, operation)
            if operation not in self._operations:
                raise RefusedError(Refusal(400, "UnknownOperationException", operation))
            self.operations[self._table_of(request), operation] += 1
            answer = self._operations[operation](request.body)
        except RefusedError as error:
            refusal = error.refusal
            return self._dated(Answer(body=refusal.body(), status=refusal.status))
        except UnicodeDecodeError as error:
            refusal = Refusal(400, "SerializationException", str(error))
            return self._dated(Answer(body=refusal.body(), status=refusal.status))
        body = answer if isinstance(answer, bytes) else msgspec.json.encode(answer)
        return self._dated(Answer(body=body))

    def _dated(self, answer: Answer) -> Answer:
        now = datetime.now(UTC) + timedelta(seconds=self.clock_offset_seconds)
        headers = {"Date": format_datetime(now, usegmt=True)}
        return Answer(body=answer.body, status=answer.status, headers=headers)

    def _check(self, request: Request, operation: str) -> None:
        date = datetime.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
        ours = datetime.now(UTC) + timedelta(seconds=self.clock_offset_seconds)
        late_seconds = abs((ours - date.replace(tzinfo=UTC)).total_seconds())
        if late_seconds > SIGNATURE_SECONDS:
            raise _refused("InvalidSignatureException", "Signature not yet current or expired")
        session = request.access_key.removeprefix("ASIASESSION")
        if session.isdigit() and int(session) < self.oldest_session:
            raise _refused("ExpiredTokenException", "The security token in the request is expired")
        if operation in self.denied:
            raise _refused("AccessDeniedException", f"not authorized to perform {operation}")
        if self.brown_out and operation in ("Scan", "BatchWriteItem"):
            raise self._throttled(request)

    def _throttled(self, request: Request) -> RefusedError:
        """By turns as a provisioned and as an on-demand table says it."""
        limit = "KeyRangeThroughputExceeded"
        reason = Reason(f"Table{limit}", self._table(self._table_of(request)).arn)
        return RefusedError(throttled([reason], on_demand=self._chance.random() < 0.5))

    @staticmethod
    def _table_of(request: Request) -> str:
        body = json.loads(request.body)
        name = body.get("TableName") or next(iter(body.get("RequestItems", [""])))
        return str(name).rpartition("/")[2]

    def _table(self, name: str) -> StoredTable:
        try:
            return self.tables[name.rpartition("/")[2]]
        except KeyError:
            raise no_such_table(name) from None

    # Operations ----------------------------------------------------------------------------------

    def _scan(self, body: bytes) -> bytes:
        request = json.loads(body)
        table = self._table(request["TableName"])
        page = table.page(
            request.get("Segment", 0),
            request.get("TotalSegments", 1),
            request.get("ExclusiveStartKey"),
            request.get("Limit"),
        )
        items = [item for one in page.items for item in [one] * (1 + (TWICE in one))]
        is_first = request.get("Segment") == 0 and "ExclusiveStartKey" not in request
        if self.also_in_a_page is not None and is_first:
            items.append(self.also_in_a_page)
        return scan_answer(table, items, page.last_evaluated_key)

    def _batch_write(self, body: bytes) -> dict[str, Any]:
        name, raws = wire.decode_batch_write(body).puts()
        table, items = self._table(name), [bytes(raw) for raw in raws]
        self.check_batch(table, items)
        self.take(table, items)
        return batch_answer(table, len(items))

    def check_batch(self, table: StoredTable, items: Sequence[bytes]) -> None:
        """Refuses a batch as a whole, as the service does.

        :raises RefusedError: for one of its items
        """
        for item in items:
            if POISON in item:
                raise invalid("One or more parameter values were invalid: Type mismatch for Index")
            fault = table.fault_of(item)
            if fault is not None:
                raise invalid(fault)
        if len({table.position(json.loads(item)) for item in items}) < len(items):
            raise invalid("Provided list of item keys contains duplicates")

    def take(self, table: StoredTable, items: Iterable[bytes]) -> None:
        """Stores items that were checked."""
        now = time.monotonic()
        self.puts += [(table.put(item), now) for item in items]

    def _describe_table(self, body: bytes) -> dict[str, Any]:
        table = self._table(json.loads(body)["TableName"])
        roles = zip(table.keys, ("HASH", "RANGE"), strict=False)
        return {
            "Table": {
                "TableName": table.name,
                "TableArn": table.arn,
                "TableId": table.table_id,
                "TableStatus": table.status,
                "CreationDateTime": 1.7e9,
                "KeySchema": [{"AttributeName": key[0], "KeyType": role} for key, role in roles],
                "AttributeDefinitions": [
                    {"AttributeName": name, "AttributeType": kind} for name, kind in table.keys
                ],
                "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
                "ItemCount": len(table.items),
                "TableSizeBytes": sum(map(len, table.items.values())),
            }
        }

    # STS -----------------------------------------------------------------------------------------

    def _assume_role(self) -> Answer:
        self.sessions_given += 1
        ends = (datetime.now(UTC) + 3600 * SECOND).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = (
            '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
            f"<AssumeRoleResult><Credentials><AccessKeyId>ASIASESSION{self.sessions_given}"
            "</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>token"
            f"</SessionToken><Expiration>{ends}</Expiration></Credentials><AssumedRoleUser>"
            "<AssumedRoleId>AROA:dynaferry</AssumedRoleId><Arn>arn:aws:sts::222222222222:"
            "assumed-role/ferry/dynaferry</Arn></AssumedRoleUser></AssumeRoleResult>"
            "</AssumeRoleResponse>"
        )
        return Answer(body=body.encode(), headers={"Content-Type": "text/xml"}, checksum="none")


def scan_answer(table: StoredTable, items: Sequence[bytes], last_key: Any) -> bytes:
    """A Scan's answer with these items, as the bytes that are stored."""
    rest: dict[str, Any] = {"Count": len(items), "ScannedCount": len(items)}
    if last_key is not None:
        rest["LastEvaluatedKey"] = last_key
    rest["ConsumedCapacity"] = {"TableName": table.name, "CapacityUnits": 0.5 * len(items)}
    return b"".join((b'{"Items":[', b",".join(items), b"],", json.dumps(rest).encode()[1:]))


def batch_answer(
    table: StoredTable, taken: int, unprocessed: Sequence[bytes] = ()
) -> dict[str, Any]:
    """A BatchWriteItem's answer when so many items are taken and these are not."""
    left = [{"PutRequest": {"Item": msgspec.Raw(item)}} for item in unprocessed]
    return {
        "UnprocessedItems": {table.name: left} if left else {},
        "ConsumedCapacity": [{"TableName": table.name, "CapacityUnits": float(taken)}],
    }


def _refused(code: str, message: str) -> RefusedError:
    return RefusedError(Refusal(400, code, message))
