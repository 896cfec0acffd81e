"""Repairs identities: retracts links, checks the customers against the ledger of links, and fixes the differences.

An operator runs it. What a batch of records does to customers is left to `services.journey.apply`.
"""
