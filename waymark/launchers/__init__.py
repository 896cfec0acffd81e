"""The engines of a local stack, started as plain child processes: PostgreSQL, the embedded broker, Apache Kafka.

Each launcher owns one process (or one cluster of them), keeps its data under one folder, and says how to reach it.
What runs on the engines (topics, migrations, keys, the services) is left to `waymark.local`.
"""
