"""The resources of the read API: one module for each, over what they share. They change nothing.

They parse what a caller sent and pick the refusal that fits; reading is left to `services.journey.read`.
"""
