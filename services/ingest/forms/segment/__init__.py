"""Segment's wire form, as Segment, RudderStack and Jitsu libraries speak it: calls in, touchpoints on.

Every trap that made a library lose or repeat data is met here: exactly 200 with JSON, errors that end a retry loop, any
Content-Type, keys wherever a library puts them. What a call becomes is the source's mapping (`mapping`).
"""
