"""The live stream of the read API: every change of a journey and of a friction, of one customer or of all."""
