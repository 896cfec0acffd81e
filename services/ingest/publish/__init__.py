"""What happens to the touchpoints of one request: decide, publish to Kafka, and report one result each.

Leaves decisions to `services.ingest.touchpoint` and HTTP to `services.ingest.http`.
"""
