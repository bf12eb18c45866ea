"""The comparison of source and target: what is missing, extra or different, and its repair.

May use `run` for the life of an attempt, and all below it. Begin at `run`.

The way of an item, cheapest first; each step gets only what the one before it could not settle:

1. `compare.join`: both tables are scanned segment by segment, side by side. Items that are the same
   to the byte on both sides cancel out.
2. `compare.join` again: of the remaining items, keys and digests of the canonical form
   (`dynamodb.items.canonical`) cancel out: sets in another order, numbers in another notation.
3. `compare.confirm`: each item that remains is read by its key, consistently, on both sides, and
   once more a while later. What is missing, extra or different both times is reported as that; what
   was one of them and then another is undecided, and keeps the tables from being called equal.

Nothing rests on two tables putting the same keys into the same segment, or in the same order: where
they do, steps 1 and 2 settle everything at the price of one scan of each table; where they do not,
step 3 does, at a higher price. Extra items on the target are found because the target is scanned as
well.
"""
