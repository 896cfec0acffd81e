"""What a batch of records does to the database: all of it, once, or nothing.

`applier` retries, bisects and stops; `transaction` is one attempt; `resolution` finds out whose the touchpoints are,
`renewal` projects their customers anew (for a batch and for a fired timer alike); `wire` reads records.
"""
