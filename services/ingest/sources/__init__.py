"""The producer systems: what each may send, its keys, and both in PostgreSQL.

Leaves presented keys and wrong ones to `services.ingest.http` and `services.ingest.protection`.
"""
