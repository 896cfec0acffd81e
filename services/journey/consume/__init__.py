"""Reads the log of touchpoints: claims partitions, fetches records, decodes them, and watches that they are applied.

What a batch of records does to the database is left to `services.journey.apply`.
"""
