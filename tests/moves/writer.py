"""Who goes on writing to a table: puts, deletes and batches, over HTTP, in a thread of its own.

Every state that a key has had is remembered: whatever else a target shows was invented.
"""

import http.client
import random
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from tests.moves.case import BAD, SOURCE

_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode

Item = dict[str, Any]

# Values that are written in several ways, or are little like others.
ODD_VALUES: Sequence[Item] = (
    {"N": "1.0"},
    {"N": "1E+2"},
    {"M": {}},
    {"L": []},
    {"S": ""},
    {"S": '\u2028 \U0001f6a2 \\ " \x00'},
    {"B": "AAEC"},
    {"SS": ["b", "a"]},
    {"NS": ["2", "1.50"]},
    {"NULL": True},
    {"M": {"Items": {"L": [{"M": {"Keys": {"BOOL": False}}}]}}},
)
ODD_NAMES = ("é", 'a"b', "\\", "new \u2028", "{}", "x" * 200)


def name_of(item: Mapping[str, Any]) -> tuple[str, str]:
    """An item's key, from an item or a key in wire form."""
    return item["pk"]["S"], item["sk"]["S"] if "sk" in item else ""


class Writer:
    """Writes to a table, the source unless told otherwise, from `start` to `stop`."""

    def __init__(
        self,
        url: str,
        seeded: Sequence[bytes],
        *,
        chance: random.Random,
        changes_per_second: float,
        bad_share: float,
        table: str = SOURCE,
        first_version: int = 0,
    ) -> None:
        self.changes = 0
        self.states: dict[tuple[str, str], set[bytes]] = defaultdict(set)
        # What it wrote last of each key, None for a deletion: so the table is once it has stopped.
        self.latest: dict[tuple[str, str], bytes | None] = {}
        self.error: BaseException | None = None
        self._address = urlsplit(url).netloc
        self._chance = chance
        self._pause_seconds = 1 / changes_per_second
        self._bad_share = bad_share
        self._table = table
        self._keys: list[Item] = []
        self._has_sort_key = False
        for body in seeded:
            item = _decode(body)
            self.states[name_of(item)].add(body)
            self._has_sort_key = "sk" in item
            self._keys.append({name: item[name] for name in ("pk", "sk") if name in item})
        self._keys += [self._key(name) for name in ODD_NAMES]
        self._version = first_version
        self._stops = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._connection = http.client.HTTPConnection(self._address, timeout=30)

    @property
    def is_running(self) -> bool:
        """Whether it writes."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def stop(self) -> None:
        """Ends, and raises what it met."""
        self._stops.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self.error is not None:
            raise self.error

    def _run(self) -> None:
        try:
            while not self._stops.is_set():
                began = time.monotonic()
                changes = self._write()
                self.changes += changes
                pause = changes * self._pause_seconds - (time.monotonic() - began)
                self._stops.wait(max(0.0, pause))
        except BaseException as error:  # noqa: BLE001  # told where the thread is waited for
            self.error = error
        finally:
            self._connection.close()

    def _write(self) -> int:
        chance = self._chance.random()
        if chance < 0.5:
            self._send("PutItem", {"TableName": self._table, "Item": self._item(self._some_key())})
            return 1
        if chance < 0.6:
            request = self._deleted(self._some_key())
            self._send("DeleteItem", {"TableName": self._table, **request})
            return 1
        keys = {name_of(key): key for key in (self._some_key() for _ in range(25))}
        chosen = list(keys.values())[: self._chance.randint(1, len(keys))]
        left: list[Any] = [self._request(key) for key in chosen]
        count = len(left)
        while left:
            answer = self._send("BatchWriteItem", {"RequestItems": {self._table: left}})
            left = answer["UnprocessedItems"].get(self._table, [])
        return count

    def _request(self, key: Item) -> Item:
        if self._chance.random() < 0.25:
            return {"DeleteRequest": self._deleted(key)}
        return {"PutRequest": {"Item": self._item(key)}}

    def _some_key(self) -> Item:
        """Few keys again and again, all the others at times, and new ones."""
        chance = self._chance.random()
        if chance < 0.3:
            return self._keys[self._chance.randrange(min(10, len(self._keys)))]
        if chance < 0.9:
            return self._chance.choice(self._keys)
        self._keys.append(self._key(f"new-{len(self._keys)}"))
        return self._keys[-1]

    def _key(self, name: str) -> Item:
        return {"pk": {"S": name}, "sk": {"S": "1"}} if self._has_sort_key else {"pk": {"S": name}}

    def _deleted(self, key: Item) -> Item:
        self.latest[name_of(key)] = None
        return {"Key": key}

    def _item(self, key: Item) -> msgspec.Raw:
        self._version += 1
        item = dict(key) | {"version": {"N": str(self._version)}}
        if self._chance.random() < 0.3:
            item["odd"] = self._chance.choice(ODD_VALUES)
        if self._chance.random() < 0.3:
            item["text"] = {"S": "x" * self._chance.randrange(2500)}
        if self._chance.random() < self._bad_share:
            item[BAD] = {"S": "refused"}
        body = _encode(item)
        self.states[name_of(key)].add(body)
        self.latest[name_of(key)] = body
        return msgspec.Raw(body)

    def _send(self, operation: str, request: Item) -> Item:
        """Until it is taken."""
        headers = {"X-Amz-Target": f"DynamoDB_20120810.{operation}"}
        body = _encode(request)
        while True:
            try:
                self._connection.request("POST", "/", body, headers)
                response = self._connection.getresponse()
                answer = response.read()
            except (http.client.HTTPException, OSError):
                self._connection.close()  # its answer is lost: it is sent again
                continue
            if response.status == 200:
                return _decode(answer)
            code = _decode(answer)["__type"].rpartition("#")[2]
            if code == "ValidationException":
                raise AssertionError(f"the table refuses {request}: {answer!r}")
            time.sleep(0.02)
