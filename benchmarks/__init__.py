"""Timings against other libraries, in the same run, correctness first.

`sparse.rows` gives the rows of ``minprune bench``; each module also runs by itself,
as in ``python -m benchmarks.sparse --json``.
"""
