"""Publishes every change of an issue to programs: the feed, the live stream over it, and the topic `issues`.

Notifying people is left to `notify`.
"""
