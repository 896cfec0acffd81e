"""HTTP as ingest speaks it: raw routes and what every exchange shares, from authentication to the body.

Leaves what a body means to `services.ingest.forms`, and what happens to touchpoints to `services.ingest.publish`.
"""
