"""Sessions with PostgreSQL: to which server, past which pooler, in which pool, and what holds for the length of one.

All SQL is left to the services.
"""
