"""`waymark sources`: binds sources to channel systems, sets how each is read, and tries webhooks out beforehand.

Keys of sources are left to `waymark.keys`.
"""
