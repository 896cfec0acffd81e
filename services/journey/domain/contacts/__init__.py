"""Contacts: which touchpoints of one customer are one conversation, and what there is to say about it."""
