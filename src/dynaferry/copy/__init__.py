"""The data plane: one table, page by page.

Knows the network edge by the Protocols of `ports` only; may use limiters, counters and the store.
Begin at `pipeline`. The way of a page:

1. `segment_order`: the `SegmentQueue` names the segment that is farthest from those under way.
2. `reader`: a `Reader` waits for room in the `Ledger`, as far as `read_ahead` says
   (`pages_ahead` tells them both), and for the source's limiter (`throttle.adaptive_limiter`).
3. `dynamodb.items.scan`: the `PageSource` of `ports` gives a `Page`; `measured` counts and times
   it.
4. `ledger`: the `Ledger` opens the page in the watermark of its segment.
5. `pending_page`: its items are a `PendingPage`, which waits in `write_queue`, in the lane of its
   segment.
6. `write_queue`: a worker of the `WorkerPool` (`throttle.worker_pool`) takes the next batches of
   one page as a `BatchGroup` (`batch_group`, and `batch_cost` says what it costs), admitted by the
   target's limiter; while one waits for that, it holds the `LeaderLock` (`leader`).
7. `writer`: the `Writer` sends the batches one by one through the `BatchTarget` of `ports`, which
   is `dynamodb.items.batch_write`.
8. `settlement` decides what the responses mean, as one value that the writer applies: a remainder
   is put back into the queue, a refused batch is cut until the item stands alone, and that item
   becomes a dead letter (`rejects`, which says how many may).
9. `ledger`: what is written or durably a dead letter is acknowledged, and the `watermark` moves.
10. `checkpoint`: the `Checkpointer` stores the watermarks that moved.
"""
