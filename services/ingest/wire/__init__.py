"""HTTP as ingest speaks it: raw routes, what they share around their work, and the seam for wire forms.

Leaves what a body means to the forms (`services.ingest.segment`, `.cloudevents`, `.channels` …), and what happens to
touchpoints to `services.ingest.publish.intake`.
"""
