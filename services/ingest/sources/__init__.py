"""The producer systems: what each may send, its keys, and both in PostgreSQL.

`source_administration` is what the operator may do with them. Leaves presented keys and wrong ones to
`services.ingest.http` and `services.ingest.protection`.
"""
