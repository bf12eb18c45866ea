"""The peer: what a user would write with aioboto3 in ten minutes.

One scan, 16 writers, no resume, no pacing: `scan` page by page into `batch_write_item`, sending
unprocessed items again.

    python -m benchmarks.peers.plain_aioboto3 ENDPOINT
"""

import asyncio
import sys
from typing import Any

import aioboto3

from benchmarks.null_endpoint import SOURCE, TARGET

WRITERS = 16
BATCH_ITEMS = 25


async def write(client: Any, batches: "asyncio.Queue[list[Any] | None]", target: str) -> int:
    """Writes batches until there is None; returns the number of items."""
    written = 0
    while (items := await batches.get()) is not None:
        requests = {target: [{"PutRequest": {"Item": item}} for item in items]}
        while requests:
            requests = (await client.batch_write_item(RequestItems=requests))["UnprocessedItems"]
        written += len(items)
    return written


async def copy(
    endpoint: str, *, source: str = SOURCE, target: str = TARGET, config: Any = None
) -> int:
    """Copies the source table once and returns the number of items written."""
    session = aioboto3.Session(
        aws_access_key_id="bench", aws_secret_access_key="bench", region_name="us-east-1"
    )
    batches: asyncio.Queue[list[Any] | None] = asyncio.Queue(2 * WRITERS)
    async with session.client("dynamodb", endpoint_url=endpoint, config=config) as client:
        async with asyncio.TaskGroup() as group:
            writers = [group.create_task(write(client, batches, target)) for _ in range(WRITERS)]
            arguments: dict[str, Any] = {"TableName": source, "Segment": 0, "TotalSegments": 1}
            while True:
                page = await client.scan(**arguments)
                for start in range(0, len(page["Items"]), BATCH_ITEMS):
                    await batches.put(page["Items"][start : start + BATCH_ITEMS])
                if "LastEvaluatedKey" not in page:
                    break
                arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]
            for _ in writers:
                await batches.put(None)
        return sum(writer.result() for writer in writers)


if __name__ == "__main__":
    print(asyncio.run(copy(sys.argv[1])))  # noqa: T201
