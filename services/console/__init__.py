"""The console: one origin for people. It signs them in, serves the pages, and forwards to the three APIs.

It has no tables and no topics. What somebody may do is decided by the API that is asked, with the key of whoever asks.
"""
