"""One touchpoint on its own: from bytes to an object, a typed touchpoint, and the decision about it. Pure.

Leaves results and their sentences to `services.ingest.results`, writing to Kafka to `services.ingest.publish`.
"""
