"""Many decisions of history at once: keys one behind the other, the rows of each in the order of their time.

A *span* is a run of keys as lines of integers. Row r of it sees the rows from its key's START to r - 1 that had arrived
before it did: all of them, unless an event of an earlier time came late. Windows are cut by pointers that only move on,
sums are differences of running sums, extremes come from a table of stretches of 1, 2, 4 ... rows, distinct counts from
previous and next occurrences; then the few rows that were decided too early for a late event are corrected.
"""
