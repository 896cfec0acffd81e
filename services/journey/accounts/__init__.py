"""Journeys of accounts, beside the batches: whatever new touchpoint names an account, it is projected anew.

`account_rows` has the tables, `account_records` what is published, `account_loop` the work.
"""
