"""Where PostgreSQL and Kafka are and what they ask of us, as values; and the forms that all settings have.

`forms` are what a host, a file, a name looks like; `brokers` says how Kafka is reached, `postgres_url` what is wrong
with a URL, `libpq` what its parameters are, `tls_files` what those for TLS come to; `kafka_access` tries to reach Kafka
and tells a wrong setting from a server that is away.
"""
