"""What every process needs and no process is about: clock, settings, logs, health, HTTP, Kafka, PostgreSQL, keys."""
