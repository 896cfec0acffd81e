"""Applies a batch of records to the database: all of it, once, or nothing.

`applier` retries, bisects and stops; `transaction` is one attempt; `resolution` finds out whose the touchpoints are.
Reading records is left to `services.journey.consume`, projecting customers anew to `services.journey.renew`.
"""
