"""Identifiers of customers: which types there are, how a value is spelled, which values name nobody, and pseudonyms.

Whoever writes an identifier and whoever looks one up must treat it the same way, so this is part of the contract.
"""
