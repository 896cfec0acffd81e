"""Segment's wire form, as the libraries of Segment, RudderStack and Jitsu speak it: calls in, touchpoints on.

It avoids every trap that made a library lose or repeat data: it answers exactly 200 with JSON, errors end a retry
loop, any Content-Type is taken, and keys are found wherever a library puts them. `segment_mapping` says what the calls
of a source become.
"""
