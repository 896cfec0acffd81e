"""Kafka as every process uses it: one producer, topics as declared, the ends of logs, and what keeps a broker away.

Reading a log with its offsets in PostgreSQL is left to `services.runtime.log`, fetching records to the services.
"""
