"""A DynamoDB-shaped simulator, in memory, that judges how well a copy uses a table.

A fast client proves little against an endpoint that takes everything, and an account proves little
that costs money and behaves differently each time. This one refuses what the service would refuse,
for the reason that the service would give, and counts second by second what the *service* saw:
units consumed against units offered, whole throttles, unprocessed items, requests in flight, and
the reads of a production that was there first.

What is modelled, and where it stands:

    settings.py   every figure with its source, or the word "assumption"
    places.py     the hash space: one order for scans, segments and partitions of all tables
    seeded.py     synthetic items made on demand from their rank in that order; a hot key
    bucket.py     capacity with burst; may go into debt
    on_demand.py  the previous peak, and twice of it
    lane.py       one direction of a table or index: partitions, totals, and the reason against
    index.py      a global secondary index that holds the table's writes back
    latency.py    a least, a lognormal tail, a queue near saturation
    table.py      SimulatedTable: admits or refuses; brown-outs, changes, production's reads
    stored_items.py  what a table keeps, in the order of a Scan, and what a stale read may show
    stream.py     shards that split and roll, and records of changes; stream_shard.py is one shard
    shard_limits.py  reads, bytes and readers of one shard
    table_streams.py  the stream that is enabled, those before it, and what happens to them
    global_table.py  what being a replica adds to a table
    conditions.py  whether a condition of a repair holds
    record.py     counts per second; report.py is what comes of them

All of that is pure and runs under any clock. Around it: requests.py, reads.py, writes.py,
stream_service.py and service.py (the service's JSON), served_table.py (a table with its items, and
writes whose answers are lost), refusals.py (codes and reasons), control.py and server.py (HTTP),
child.py (a simulator in a child process).

What is not: signatures, transactions, updates, queries, and reads of an index; keys other than
text; numbers brought into one form, as the service does; reads and writes of one partition sharing
its limits; splits for heat; adaptive capacity as anything but instant; a page that spans two
partitions is charged to the first. What the service does not publish (its hash, what makes a peak,
latencies, how a stream delays) is a choice, written down where it is made.
"""

from benchmarks.simulator.admission import Admission, ReadAdmission, SizedKey
from benchmarks.simulator.child import RunningSimulator, simulator
from benchmarks.simulator.places import place_of
from benchmarks.simulator.report import Report, Second, StreamReport, TableReport
from benchmarks.simulator.seeded import seeded_digest
from benchmarks.simulator.settings import (
    NO_LATENCY,
    BrownOut,
    Change,
    GlobalTable,
    Index,
    Latency,
    LostAnswers,
    NewTables,
    OnDemand,
    Partitions,
    Provisioned,
    Settings,
    Stream,
    StreamEvent,
    Table,
)
from benchmarks.simulator.table import SimulatedTable

__all__ = [
    "NO_LATENCY",
    "Admission",
    "BrownOut",
    "Change",
    "GlobalTable",
    "Index",
    "Latency",
    "LostAnswers",
    "NewTables",
    "OnDemand",
    "Partitions",
    "Provisioned",
    "ReadAdmission",
    "Report",
    "RunningSimulator",
    "Second",
    "Settings",
    "SimulatedTable",
    "SizedKey",
    "Stream",
    "StreamEvent",
    "StreamReport",
    "Table",
    "TableReport",
    "place_of",
    "seeded_digest",
    "simulator",
]
