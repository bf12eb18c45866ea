"""The service's limits and prices, each with its source.

Sources: [DG:page] is docs.aws.amazon.com/amazondynamodb/latest/developerguide/page.html,
[M:X] the API model of operation or shape X in botocore.
"""

from typing import Final

# BatchWriteItem [M:BatchWriteItem]
BATCH_MAX_ITEMS: Final = 25
# Items of many small numbers grow when written as JSON; staying well under the limit of 16 MB costs
# nothing, since a batch of 25 ordinary items is far smaller.
BATCH_TARGET_BYTES: Final = 10 * 1024 * 1024

# Scan [M:Scan]
PAGE_MAX_ITEM_BYTES: Final = 1024 * 1024
SCAN_MAX_TOTAL_SEGMENTS: Final = 1_000_000

# Items [DG:Constraints]
ITEM_MAX_BYTES: Final = 400 * 1024

# Capacity units [DG:read-write-operations]
BYTES_PER_WRITE_UNIT: Final = 1024
BYTES_PER_READ_UNIT: Final = 4096
EVENTUALLY_CONSISTENT_UNITS_PER_READ_UNIT: Final = 0.5

# The least cap that is one: an item in 100 seconds. Below it, none of what waits ever goes.
LEAST_CAP_UNITS: Final = 0.01

# Throughput
PARTITION_WRITE_UNITS: Final = 1000  # a second [DG:burst-adaptive-capacity]
PARTITION_READ_UNITS: Final = 3000  # a second [DG:burst-adaptive-capacity]
NEW_ON_DEMAND_WRITE_UNITS: Final = 4000  # a second, sustained at once [DG:on-demand-capacity-mode]
NEW_ON_DEMAND_READ_UNITS: Final = 12_000  # a second, sustained at once [DG:on-demand-capacity-mode]
TABLE_WRITE_UNITS_QUOTA: Final = 40_000  # a second, adjustable [DG:ServiceQuotas]

# Credentials [M:AssumeRole]. A session of 900 s would be renewed for every request, since
# botocore renews 15 minutes ahead; role chaining allows 3,600 s at most.
ROLE_SESSION_SECONDS: Final = 3600

# Prices, us-east-1, Standard table class, on-demand, US dollars a million request units.
# AWS Price List as read by a public repository on 2026-09-29; re-check before quoting.
PRICE_PER_MILLION_WRITES: Final = 0.625
PRICE_PER_MILLION_READS: Final = 0.125
# A GetRecords of a stream is a read request unit of its own kind; the first 2.5 million a month are
# free, which no estimate here counts.
PRICE_PER_MILLION_STREAM_READS: Final = 0.2
# Provisioned capacity, an hour and unit; the same source.
PRICE_PER_WRITE_UNIT_HOUR: Final = 0.00065
PRICE_PER_READ_UNIT_HOUR: Final = 0.00013
HOURLY_PRICES_FOR: Final = "us-east-1, Standard class; check yours"
PRICES_AS_OF: Final = "2026-09-29"
PRICES_FOR: Final = "us-east-1, on-demand, Standard class"
