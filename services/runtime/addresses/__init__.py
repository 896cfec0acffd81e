"""Where PostgreSQL and Kafka are and what they ask of us, as values, and the forms that every setting has.

`value_forms` says what a host, a file or a name looks like; `brokers` how Kafka is reached; `postgres_url` what is
wrong with a URL; `libpq` which parameters it may have; `tls_files` what those for TLS come to. Connecting is left to
`services.runtime.kafka` and `services.runtime.postgres`.
"""
