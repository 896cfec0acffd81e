"""The wire forms in which producers send: each maps what came to native touchpoints and shapes its own response.

Leaves what is around a request to `services.ingest.http`, and what happens to touchpoints to `services.ingest.publish`.
"""
