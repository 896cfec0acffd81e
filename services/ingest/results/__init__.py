"""The result of one touchpoint: accepted, duplicate, rejected or unavailable, and the sentences that explain it.

Leaves the shape of a whole response to each wire form, in `services.ingest.forms`.
"""
