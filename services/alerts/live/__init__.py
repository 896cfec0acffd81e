"""Tells programs of every change of an issue: the feed, the live stream that reads it, and the topic `issues`.

Leaves people to `notify`.
"""
