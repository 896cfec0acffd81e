"""Reads a Kafka topic with its offsets kept in PostgreSQL, next to the effects of its records.

Who may apply a partition, how far it is applied, what to do about holes and dead letters, and how to go on after a
failure. Fetching records is left to each service's consumer, applying them to each service.
"""
