"""What keeps one producer, or somebody who is none, from taking ingest away from the others.

How much is in flight, how fast a source and each of its keys may send, and how often one address may present a wrong
key. Everything is counted per replica, in bounded memory, with the time given by the caller.
"""
