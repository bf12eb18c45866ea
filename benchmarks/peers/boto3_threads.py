"""The peer: boto3's resource with its batch_writer, one thread for each of 16 segments.

python -m benchmarks.peers.boto3_threads ENDPOINT
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3

from benchmarks.null_endpoint import SOURCE, TARGET

THREADS = 16


def copy_segment(endpoint: str, segment: int) -> int:
    """Copies one segment with a resource of its own, since resources are not thread-safe."""
    dynamodb = boto3.session.Session(
        aws_access_key_id="bench", aws_secret_access_key="bench", region_name="us-east-1"
    ).resource("dynamodb", endpoint_url=endpoint)
    source = dynamodb.Table(SOURCE)
    written = 0
    arguments: dict[str, Any] = {"Segment": segment, "TotalSegments": THREADS}
    with dynamodb.Table(TARGET).batch_writer() as batch:
        while True:
            page = source.scan(**arguments)
            for item in page["Items"]:
                batch.put_item(Item=item)
            written += len(page["Items"])
            if "LastEvaluatedKey" not in page:
                return written
            arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def main() -> None:
    with ThreadPoolExecutor(THREADS) as threads:
        print(sum(threads.map(lambda s: copy_segment(sys.argv[1], s), range(THREADS))))  # noqa: T201


if __name__ == "__main__":
    main()
